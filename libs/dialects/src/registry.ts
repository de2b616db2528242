import type { DialectName } from '#usher/domain';
import { alta } from './alta/alta.js';
import { astra } from './astra/astra.js';
import type { Dialect } from './dialect.js';

/** Every dialect by its name. Adding one is its folder and a line here. */
export const DIALECTS: Readonly<Record<DialectName, Dialect>> = { astra, alta };
