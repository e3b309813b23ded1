/** Draws rows as columns of text: the first row is the head, numbers belong on the right. */
export function drawTable(rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map(String));
  const columns = Math.max(...cells.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const isNumeric = Array.from({ length: columns }, (_, column) =>
    cells.slice(1).every((row) => /^[\d.,+-]*( ?(ms|s|%|x|\/s))?$/.test(row[column] ?? '')),
  );
  const draw = (row: string[]) =>
    row
      .map((cell, column) =>
        isNumeric[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const [head = [], ...body] = cells;
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [draw(head), rule, ...body.map(draw)].join('\n');
}
