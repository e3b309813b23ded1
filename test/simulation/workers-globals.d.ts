/*
 * The types of the Workers runtime that the sources under simulation name and Node does not have. The
 * two sets of types do not go together in one program.
 */
interface D1PreparedStatement {
  bind(...values: unknown[]): D1PreparedStatement;
  first(): Promise<Record<string, unknown> | null>;
  all(): Promise<{ results: Record<string, unknown>[] }>;
  run(): Promise<unknown>;
}
interface D1Database {
  prepare(statement: string): D1PreparedStatement;
}
type CryptoKey = import('node:crypto').webcrypto.CryptoKey;
interface AnalyticsEngineDataPoint {
  indexes?: string[];
  blobs?: string[];
  doubles?: number[];
}
interface AnalyticsEngineDataset {
  writeDataPoint(point?: AnalyticsEngineDataPoint): void;
}
