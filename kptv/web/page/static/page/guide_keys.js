// Arrow keys in the guide: between shows, channels and hours. One cell can be tabbed to.

/**
 * Make arrow keys move in `grid`. `rows()` are the rows shown; `beyond(key)` brings other hours or
 * channels, and says whether there are any.
 */
export function guideKeys(grid, rows, beyond) {
  let place = 0; // of the row
  let moment = 0; // up and down keep to it, however long the shows are

  function put(cell, focus) {
    for (const had of grid.querySelectorAll('[tabindex="0"]')) had.tabIndex = -1;
    if (!cell) return;
    cell.tabIndex = 0;
    if (!focus) return;
    cell.focus({ preventScroll: true });
    cell.closest(".guide-row").scrollIntoView({ block: "nearest" });
  }

  function cellAt(row, at) {
    const cells = row ? seen(row) : [];
    return cells.find((cell) => cell.show.stop > at) ?? cells.at(-1);
  }

  function go(to, at, focus = true) {
    place = Math.max(0, Math.min(rows().length - 1, to));
    moment = at;
    put(cellAt(rows()[place], moment), focus);
  }

  function sideways(step) {
    const cells = seen(rows()[place]);
    const next = cells[cells.indexOf(document.activeElement) + step];
    if (!next) return false;
    moment = next.show.start;
    put(next, true);
    return true;
  }

  function upright(step) {
    if (!rows()[place + step]) return false;
    go(place + step, moment);
    return true;
  }

  const moves = {
    ArrowLeft: () => sideways(-1),
    ArrowRight: () => sideways(1),
    ArrowUp: () => upright(-1),
    ArrowDown: () => upright(1),
    PageUp: () => false,
    PageDown: () => false,
    Home: () => false,
  };

  grid.addEventListener("keydown", async (event) => {
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey || !rows().length) return;
    event.preventDefault();
    if (move()) return;
    const was = { place, moment };
    if (!(await beyond(event.key)) || !rows().length) return;
    if (event.key === "ArrowUp") go(rows().length - 1, was.moment);
    else if (event.key === "ArrowDown" || event.key.startsWith("Page")) go(0, was.moment);
    else if (event.key === "Home") go(was.place, Date.now() / 1000);
    else go(was.place, aside(rows()[was.place], event.key, was.moment));
  });
  grid.addEventListener("focusin", (event) => {
    const cell = event.target.closest(".show");
    const index = rows().findIndex((row) => row.cells.includes(cell));
    if (index < 0) return;
    if (index !== place) moment = cell.show.start;
    place = index;
    put(cell, false);
  });

  return {
    /** Other rows are shown: the cell of this moment can be tabbed to. */
    renew(at) {
      go(place, at, false);
    },
  };
}

const seen = ({ cells }) => cells.filter((cell) => cell.offsetParent !== null);

/** Where to go on when other hours came in the middle of a row. */
function aside({ cells }, key, moment) {
  const starts = cells.map((cell) => cell.show.start);
  const next = key === "ArrowRight"
    ? starts.find((start) => start > moment) : starts.findLast((start) => start < moment);
  return next ?? moment;
}
