import type { Config } from '../config.ts';
import type { ProviderName } from '../domain/connector.ts';
import { createGoogle } from './google/provider.ts';
import { createMicrosoft } from './microsoft/provider.ts';
import type { Provider } from './provider.ts';

/** The provider of this name. */
export function createProvider(name: ProviderName, config: Pick<Config, 'google' | 'microsoft'>): Provider {
  switch (name) {
    case 'google':
      return createGoogle(config.google);
    case 'microsoft':
      return createMicrosoft(config.microsoft);
  }
}
