import { flag, readOptions } from '../local/program-options.ts';

const USAGE = `npm run cost [-- OPTIONS]: what each type of task costs, counted in the local runtime, as Markdown.

  --rows     also, what wrote each row of a connector's object
  --write    put the table into the README, too
`;

const { rows: showsRows, write } = readOptions(USAGE, { rows: flag, write: flag });

// Read when wrangler is loaded: only then does it keep its own log to itself.
process.env['WRANGLER_LOG'] = 'error';
const { measureCosts } = await import('./measure.ts');
const { describeCosts } = await import('./report.ts');
const { formatMarkdown, writeShownCosts } = await import('./readme.ts');
const measured = await measureCosts();
const costs = await formatMarkdown(describeCosts(measured));
console.log(costs);
if (showsRows) {
  for (const { type, provider, state, rows } of measured) {
    const parts = Object.entries(rows).map(([name, count]) => `${count} ${name}`);
    console.log(`${type}, ${provider}, ${state}: ${parts.join(', ')}`);
  }
}
if (write) await writeShownCosts(costs);
