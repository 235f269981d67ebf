// The bit rate of the last minute, as a line.

import uPlot from "../vendor/uplot-1.6.32/uPlot.esm.js";

const POINTS = 60;
const drawn = new Set();

/** A sparkline: `set(rates)` draws it, `push(rate)` moves it on, `end()` frees it. */
export function sparkline(label) {
  const node = document.createElement("div");
  node.className = "spark";
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", label);
  let values = [];
  let plot = null;

  function draw() {
    const width = node.clientWidth;
    if (!width) return;
    const data = series(values);
    if (plot) {
      if (plot.width !== width) plot.setSize({ width, height: node.clientHeight });
      plot.setData(data);
      return;
    }
    const style = getComputedStyle(node);
    plot = new uPlot(
      {
        width,
        height: node.clientHeight,
        padding: [3, 0, 3, 0],
        cursor: { show: false },
        legend: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: {
          x: { time: false, range: [0, POINTS - 1] },
          y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1e5)] },
        },
        series: [
          {},
          {
            stroke: style.getPropertyValue("--accent").trim(),
            fill: style.getPropertyValue("--accent-wash").trim(),
            width: 1.5,
            points: { show: false },
          },
        ],
      },
      data,
      node,
    );
  }

  function redraw() {
    plot?.destroy();
    plot = null;
    draw();
  }

  const observer = new ResizeObserver(draw);
  observer.observe(node);
  drawn.add(redraw);
  return {
    node,
    set(rates) {
      values = rates.slice(-POINTS);
      draw();
    },
    push(rate) {
      values = [...values, rate].slice(-POINTS);
      draw();
    },
    end() {
      drawn.delete(redraw);
      observer.disconnect();
      plot?.destroy();
    },
  };
}

/** Draw all of them anew, in the current colours. */
export function repaint() {
  for (const redraw of drawn) redraw();
}

function series(values) {
  const gap = POINTS - values.length;
  const xs = Array.from({ length: POINTS }, (_, i) => i);
  return [xs, [...Array(gap).fill(null), ...values]];
}
