import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-pool-workers';
import { defineConfig } from 'vitest/config';
import { TEST_VARIABLES } from './variables.ts';

const root = new URL('..', import.meta.url).pathname;
const plain = ['sandbox', 'load', 'bench', 'local'].map((room) => `test/${room}/**/*.test.ts`);
const inNode = [
  ...plain,
  'test/flows/**/*.test.ts',
  'test/cost/**/*.test.ts',
  'test/simulation/**/*.test.ts',
];

export default defineConfig({
  root,
  test: {
    silent: 'passed-only',
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: `${root}wrangler.toml` },
            miniflare: {
              bindings: {
                ...TEST_VARIABLES,
                TEST_MIGRATIONS: await readD1Migrations(`${root}migrations`),
              },
            },
          }),
        ],
        root,
        // One worker for all files, which starts in a tenth of the time: every test uses ids of its own.
        test: {
          name: 'unit',
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: inNode,
          testTimeout: 20_000,
        },
      },
      { root, test: { name: 'sandbox', include: plain, testTimeout: 20_000 } },
      {
        root,
        test: {
          name: 'simulation',
          environment: 'node',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 300_000,
        },
      },
      {
        root,
        test: {
          name: 'flows',
          include: ['test/flows/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      { root, test: { name: 'cost', include: ['test/cost/**/*.test.ts'], hookTimeout: 180_000 } },
    ],
  },
});
