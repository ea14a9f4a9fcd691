// Reads the CSV of a report export: quoted fields, doubled quotes, amounts as exact numbers of 10⁻⁹.

import assert from "node:assert/strict";

const BILLIONTHS = 9;

/** The rows of a file, the header among them. */
export function rowsOf(text) {
  const rows = [[]];
  let at = 0;
  while (at < text.length) {
    assert.equal(text[at], '"', `a field begins with a quote at ${at}`);
    let end = text.indexOf('"', at + 1);
    while (end > 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
    assert.ok(end > at, "a field ends with a quote");
    rows.at(-1).push(text.slice(at + 1, end).replaceAll('""', '"'));
    assert.ok([",", "\n"].includes(text[end + 1]), `a field is followed by a comma or a line feed at ${end + 1}`);
    if (text[end + 1] === "\n") rows.push([]);
    at = end + 2;
  }
  assert.deepEqual(rows.pop(), [], "the file ends with a line feed");
  return rows;
}

/** A decimal of at most nine places as a whole number of 10⁻⁹. */
function billionths(text) {
  const [, sign, whole, places = ""] = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? assert.fail(`no plain decimal: ${text}`);
  const value = BigInt(whole + places.padEnd(BILLIONTHS, "0"));
  return sign ? -value : value;
}

/** The sums of some columns over all parts of a report, after gross − discount = net was checked in every row. */
export function columnTotals(parts, columns) {
  const totals = Object.fromEntries(columns.map((column) => [column, 0n]));
  for (const part of parts) {
    const [header, ...rows] = rowsOf(part);
    for (const row of rows) {
      const field = (column) => billionths(row[header.indexOf(column)]);
      assert.equal(field("gross_amount") - field("discount_amount"), field("net_amount"), row.join(","));
      for (const column of columns) totals[column] += field(column);
    }
  }
  return totals;
}
