/** Step curves put on top of one another: at every distance the sum of all up to and with each. Pure. */

/**
 * @param {Array<{venue: string, bids: {bps: Float64Array, sums: Array<bigint>}, asks: object}>} layers
 * @param {number} unit what one unit of size is, for pixels
 * @returns {Array<{venue: string, bids: {bps: Float64Array, top: Array<number>}, asks: object}>} the lowest first
 */
export function stackSteps(layers, unit) {
  const stacked = layers.map(({ venue }) => ({ venue }));
  for (const side of ["bids", "asks"]) {
    const distances = Float64Array.from(new Set(layers.flatMap((layer) => [...layer[side].bps]))).sort();
    const below = new Float64Array(distances.length);
    layers.forEach((layer, index) => {
      addOnto(below, distances, layer[side], unit);
      stacked[index][side] = { bps: distances, top: [...below] };
    });
  }
  return stacked;
}

function addOnto(below, distances, { bps, sums }, unit) {
  let at = -1;
  distances.forEach((distance, index) => {
    while (at + 1 < bps.length && bps[at + 1] <= distance) at += 1;
    if (at >= 0) below[index] += Number(sums[at]) * unit;
  });
}
