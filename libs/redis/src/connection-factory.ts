import type { RedisOptions } from 'ioredis';
import { openConnection, readTarget, type Connection, type RedisSettings } from './options.js';

/** Makes a new connection, not yet connected, with its owner's options on top of the settings. */
export type OpenConnection = (options: RedisOptions) => Connection;

/** For owners that look after their connections themselves, as the bus does. Throws an Error that names the setting. */
export function connectionFactory(settings: RedisSettings): OpenConnection {
  const target = readTarget(settings);
  return (options) => openConnection(target, options);
}
