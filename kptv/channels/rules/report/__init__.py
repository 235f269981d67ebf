"""What rules did to the lists, as values for people: for the commands and for the page. Pure."""
