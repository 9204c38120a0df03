/** Which names fit what was typed. Pure. */

/**
 * Names that hold every word typed, those that begin with the first word before the rest.
 * @param {string[]} names
 * @param {string} typed words in any case, parted by blanks or dashes
 */
export function found(names, typed) {
  const words = typed.toLowerCase().split(/[\s-]+/).filter(Boolean);
  const fits = names.filter((name) => words.every((word) => name.toLowerCase().includes(word)));
  const begins = (name) => (words[0] && name.toLowerCase().startsWith(words[0]) ? 0 : 1);
  return fits.sort((one, other) => begins(one) - begins(other));
}
