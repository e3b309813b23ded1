/** How this worker is known to Microsoft, and where Microsoft is found. URLs carry no trailing slash. */
export interface MicrosoftConfig {
  /** The app registration's client id. */
  readonly clientId: string;
  readonly clientSecret: string;
  /** Entra: `https://login.microsoftonline.com`, or a national cloud's login host. */
  readonly loginUrl: string;
  /** Graph, without its version: `https://graph.microsoft.com`, or a national cloud's. */
  readonly graphUrl: string;
}
