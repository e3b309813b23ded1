import { appendFile, chmod, readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';

/**
 * Sees to it that a file of variables (`NAME="value"`, as wrangler reads `.dev.vars`) holds every name
 * of `wanted`. What it holds already stays as it is; what is missing or empty is added at its end. Only
 * its owner may read the file afterwards.
 *
 * @param wanted the value each name gets where there is none yet, without quotes or line breaks.
 * @returns the values of these names as the file has them now.
 */
export async function keepDevVars<Name extends string>(
  path: string,
  wanted: Record<Name, string>,
): Promise<Record<Name, string>> {
  const text = await readIfThere(path);
  const held = parseEnv(text);
  const kept = { ...wanted };
  let added = text === '' || text.endsWith('\n') ? '' : '\n';
  for (const name in wanted) {
    const value = held[name];
    if (value !== undefined && value !== '') kept[name] = value;
    else added += `${name}="${wanted[name]}"\n`;
  }
  if (added.trim() !== '') await appendFile(path, added, { mode: 0o600 });
  await chmod(path, 0o600);
  return kept;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return '';
    throw thrown;
  }
}
