import assert from "node:assert/strict";
import test from "node:test";
import { basisPoints, compare, cutPlaces, padBlanks, padZeros, toText, toUnits } from "../../../gateway/static/decimals.js";
import { cumulate } from "../../../gateway/static/ladder.js";

test("text survives units whatever its size", () => {
  for (const text of ["0", "0.00000001", "64210.12", "92233720368.54775807", "-1.5"]) {
    assert.equal(toText(toUnits(text, 8), 8), text);
  }
});

test("what is no decimal, or does not fit, is refused", () => {
  for (const text of ["", " 1", "1e3", "1_0", ".5", "5.", "٣", "0.123456789"]) {
    assert.throws(() => toUnits(text, 8), RangeError);
  }
});

test("order is by value, not by text", () => {
  assert.equal(compare("9.9", "10"), -1);
  assert.equal(compare("1.50", "1.5"), 0);
  assert.equal(compare("0.00000002", "0.00000001"), 1);
});

test("padding changes no value and cutting only what is beyond", () => {
  assert.equal(padZeros("64210", 2), "64210.00");
  assert.equal(padZeros("0.123", 2), "0.123");
  assert.equal(padBlanks("12", 3).length, "12.000".length);
  assert.equal(cutPlaces("1.23456", 3), "1.234");
});

test("basis points are of the mean and rounded half away from zero", () => {
  assert.equal(basisPoints("100.01", "99.99"), "2.00");
  assert.equal(basisPoints("99.99", "100.01"), "-2.00");
  assert.equal(basisPoints("0.12342", "0.1234"), "1.62");
  assert.equal(basisPoints("101.5", "100"), "148.9");
  assert.deepEqual([basisPoints("64210.13", "64210.12"), basisPoints("5", "5")], ["<0.01", "0.00"]);
});

test("cumulative sizes are exact where floats are not", () => {
  const levels = ["0.1", "0.2", "1000000000.00000001"].map((size) => ({ size }));
  assert.deepEqual(cumulate(levels, 8), ["0.1", "0.3", "1000000000.30000001"]);
});
