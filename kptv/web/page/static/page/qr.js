// QR codes, which cameras of phones and some TVs read.

import qrcode from "../vendor/qrcode-generator-2.0.4/qrcode.mjs";

const QUIET = 4; // modules around the code (ISO/IEC 18004)
const MODULE = 6; // pixels

/** Draw the code of `text`. */
export function drawCode(canvas, text) {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const modules = code.getModuleCount();
  canvas.width = canvas.height = (modules + 2 * QUIET) * MODULE;
  const paint = canvas.getContext("2d");
  paint.fillStyle = "#fff";
  paint.fillRect(0, 0, canvas.width, canvas.height);
  paint.fillStyle = "#111";
  for (let row = 0; row < modules; row += 1) {
    for (let column = 0; column < modules; column += 1) {
      if (!code.isDark(row, column)) continue;
      paint.fillRect((column + QUIET) * MODULE, (row + QUIET) * MODULE, MODULE, MODULE);
    }
  }
}
