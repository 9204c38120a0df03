/**
 * Exact arithmetic on decimal text. Prices and sizes arrive as text and leave as text; between the
 * two they are a BigInt in units of 10 ** -decimals, so nothing shown was ever a float.
 */

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;
const POINT = ".";
const FIGURE_SPACE = "\u00a0"; // one digit wide in the monospaced face all numbers use

/**
 * How many digits stand after the point: fractionDigits("1.50") is 2.
 * @param {string} text
 */
export function fractionDigits(text) {
  const point = text.indexOf(POINT);
  return point < 0 ? 0 : text.length - point - 1;
}

/**
 * Decimal text to units of 10 ** -decimals.
 * @param {string} text
 * @param {number} decimals
 * @returns {bigint}
 * @throws {RangeError} when the text is no decimal number or does not fit exactly
 */
export function toUnits(text, decimals) {
  const match = DECIMAL.exec(text);
  const fraction = match?.[3] ?? "";
  if (!match || fraction.length > decimals) throw new RangeError(`no decimal of ${decimals} places: ${text}`);
  const units = BigInt(match[2] + fraction.padEnd(decimals, "0"));
  return match[1] ? -units : units;
}

/**
 * Units to the shortest exact decimal text.
 * @param {bigint} units
 * @param {number} decimals
 */
export function toText(units, decimals) {
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return (units < 0n ? "-" : "") + whole + (fraction ? POINT + fraction : "");
}

/**
 * Pad with zeros to at least `places` digits after the point; the value stays the same.
 * @param {string} text
 * @param {number} places
 */
export function padZeros(text, places) {
  const missing = places - fractionDigits(text);
  if (missing <= 0) return text;
  return text + (text.includes(POINT) ? "" : POINT) + "0".repeat(missing);
}

/**
 * Pad with blanks of one digit's width, so that right-aligned numbers share their point.
 * @param {string} text
 * @param {number} places
 */
export function padBlanks(text, places) {
  const missing = places - fractionDigits(text);
  if (missing <= 0) return text;
  const blanks = missing + (text.includes(POINT) || places === 0 ? 0 : 1);
  return text + FIGURE_SPACE.repeat(blanks);
}

/**
 * Drop digits beyond `places` after the point, for quotients only: a price or a size is never cut.
 * @param {string} text
 * @param {number} places
 */
export function cutPlaces(text, places) {
  const extra = fractionDigits(text) - places;
  return extra > 0 ? text.slice(0, text.length - extra) : padZeros(text, places);
}

/**
 * Difference of two prices in basis points of their mean, rounded to 0.01 (from 100 on to 0.1); "<0.01" for less of either sign.
 * @param {string} ask
 * @param {string} bid
 */
export function basisPoints(ask, bid) {
  const decimals = Math.max(fractionDigits(ask), fractionDigits(bid));
  const [high, low] = [toUnits(ask, decimals), toUnits(bid, decimals)];
  const sum = high + low;
  if (sum <= 0n) return "";
  const rounded = (places) => {
    const doubled = ((high - low) * 40_000n * 10n ** BigInt(places)) / sum; // 2 for the mean, 1e4 for bps, 2 to round
    return (doubled + (doubled < 0n ? -1n : 1n)) / 2n;
  };
  const hundredths = rounded(2);
  if (hundredths === 0n && high !== low) return "<0.01";
  const isLarge = hundredths >= 10_000n || hundredths <= -10_000n;
  return isLarge ? padZeros(toText(rounded(1), 1), 1) : padZeros(toText(hundredths, 2), 2);
}

/**
 * Order two decimal texts: negative, 0 or positive.
 * @param {string} left
 * @param {string} right
 */
export function compare(left, right) {
  const decimals = Math.max(fractionDigits(left), fractionDigits(right));
  const difference = toUnits(left, decimals) - toUnits(right, decimals);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
