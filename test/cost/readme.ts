import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';

const path = new URL('../../README.md', import.meta.url).pathname;
const [BEGIN, END] = ['<!-- npm run cost -->', '<!-- end of npm run cost -->'];

/** Markdown as the project's formatter leaves it. */
export async function formatMarkdown(markdown: string): Promise<string> {
  const options = await resolveConfig(path);
  return (await format(markdown, { ...options, parser: 'markdown' })).trim();
}

/** What the README shows between its marks. */
export async function readShownCosts(): Promise<string> {
  return splitReadme(await readFile(path, 'utf8')).shown;
}

/** Puts `costs` between the README's marks. */
export async function writeShownCosts(costs: string): Promise<void> {
  const { before, after } = splitReadme(await readFile(path, 'utf8'));
  await writeFile(path, `${before}${BEGIN}\n\n${costs}\n\n${END}${after}`);
}

function splitReadme(text: string): { before: string; shown: string; after: string } {
  const [before, rest, tooMany] = text.split(BEGIN);
  const [shown, after] = (rest ?? '').split(END);
  if (before === undefined || shown === undefined || after === undefined || tooMany !== undefined) {
    throw new Error(`README.md does not have ${BEGIN} and ${END} once each`);
  }
  return { before, shown: shown.trim(), after };
}
