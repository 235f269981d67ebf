// Light or dark: as the system is set, until somebody chooses.

import { byId } from "./dom.js";

const KEY = "kptv-theme";

export function startTheme(repaint) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const isDark = () => (chosen() ?? (system.matches ? "dark" : "light")) === "dark";
  function apply() {
    document.documentElement.dataset.theme = isDark() ? "dark" : "light";
    repaint();
  }
  byId("theme").onclick = () => {
    const next = isDark() ? "light" : "dark";
    try {
      if ((next === "dark") === system.matches) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      // no storage: the system decides
    }
    document.documentElement.dataset.theme = next;
    repaint();
  };
  system.addEventListener("change", apply);
  apply();
}
