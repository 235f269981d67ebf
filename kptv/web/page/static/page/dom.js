// Makes and keeps elements. No markup is in strings, so nothing in a list can become markup.

/** An element: `el("a.button", {href: "#x", onclick}, "text", child)`. */
export function el(kind, properties = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "role") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Let an element explain itself, on hover and to a screen reader: "What the words mean" says how. */
export function explain(node, word) {
  const meaning = word && byId(`word-${word}`);
  if (meaning) {
    node.title = meaning.textContent.replace(/\s+/g, " ");
    node.setAttribute("aria-describedby", meaning.id);
  } else {
    node.removeAttribute("title");
    node.removeAttribute("aria-describedby");
  }
  node.classList.toggle("word", Boolean(meaning));
  return node;
}

/** The element of this id. */
export const byId = (id) => document.getElementById(id);

/** Set a text only if it differs: a screen reader would read it again. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Children of `parent` in the order of `items`, each made once for its key and then updated,
 * so that focus and selection stay where they are.
 */
export function keyed(parent, items, key, create) {
  const had = (parent.kept ??= new Map());
  const wanted = new Set();
  let next = parent.firstElementChild;
  for (const item of items) {
    const id = key(item);
    wanted.add(id);
    let part = had.get(id);
    if (!part) had.set(id, (part = create(item)));
    part.update(item);
    if (part.node === next) next = next.nextElementSibling;
    else parent.insertBefore(part.node, next);
  }
  for (const [id, part] of had) {
    if (wanted.has(id)) continue;
    part.node.remove();
    part.end?.();
    had.delete(id);
  }
}

let toastTimer;

/** Say something for a moment. */
export function toast(text) {
  const node = byId("toast");
  put(node, text);
  node.classList.add("shown");
  clearTimeout(toastTimer);
  const reading = 2600 + 40 * text.length; // milliseconds
  toastTimer = setTimeout(() => node.classList.remove("shown"), reading);
}

/** Copy a text, also if the browser keeps its clipboard from the page (plain http). */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { value: text, className: "away" });
    const host = document.querySelector("dialog[open]") ?? document.body;
    const focused = document.activeElement;
    host.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    focused?.focus();
  }
  toast("Copied");
}

/** A channel's logo, or the first letters of its name. */
export function logo() {
  const letters = el("span.letters", { ariaHidden: "true" });
  const node = el("span.logo", {}, letters);
  let shown = null;
  return {
    node,
    update({ name, logo: url }) {
      const mark = `${name}\n${url}`;
      if (mark === shown) return;
      shown = mark;
      put(letters, initials(name));
      node.querySelector("img")?.remove();
      if (!url) return;
      const image = el("img", { alt: "", loading: "lazy", decoding: "async" });
      image.referrerPolicy = "no-referrer";
      image.onload = () => node.classList.add("loaded");
      image.onerror = () => image.remove();
      node.classList.remove("loaded");
      image.src = url;
      node.append(image);
    },
  };
}

function initials(name) {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join("") || "·";
}
