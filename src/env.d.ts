/** The bindings of wrangler.toml. Variables and secrets are read through `readConfig` only. */
declare namespace Cloudflare {
  interface Env {
    DB: D1Database;
    KV_OAUTH: KVNamespace;
    CONNECTOR: DurableObjectNamespace<import('./connector/connector-do.ts').ConnectorDO>;
    HOLD_GROUP: DurableObjectNamespace<import('./hold-group/hold-group-do.ts').HoldGroupDO>;
    PROVIDER_APP: DurableObjectNamespace<import('./provider-app/provider-app-do.ts').ProviderAppDO>;
    Q_TASKS: Queue;
    Q_NOTIFY: Queue<import('./domain/notice.ts').Notice>;
    /** Not everybody has Analytics Engine: without it, events are only logged. */
    METRICS?: AnalyticsEngineDataset;
  }
}
type Env = Cloudflare.Env;
