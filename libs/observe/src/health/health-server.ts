import type { Log } from '#usher/domain';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { NestLog } from '../logs/nest-log.js';
import type { Metrics } from '../metrics/metrics.js';
import type { HealthContribution } from './contribution.js';
import { HealthModule } from './health.module.js';
import { Readiness } from './readiness.js';

export interface HealthServerOptions {
  /** `host:port`, `[::1]:port`; port 0 takes a free one. */
  readonly address: string;
  /** The setting that the address comes from, for the error that a port in use is: `health.gateway`. */
  readonly setting: string;
  /** The roles of this process; `start all` has several. */
  readonly contributions: readonly HealthContribution[];
  readonly metrics: Metrics;
  readonly log: Log;
}

/** `/health/live`, `/health/ready`, `/health/startup` and `/metrics` on a port of their own. */
export class HealthServer {
  readonly #options: HealthServerOptions;
  readonly #readiness: Readiness;
  readonly #host: string;
  readonly #port: number;
  #application: NestFastifyApplication | undefined;

  constructor(options: HealthServerOptions) {
    const names = options.contributions.map(({ name }) => name);
    if (names.length === 0) throw new Error('health: at least one role must say how it is');
    if (new Set(names).size !== names.length)
      throw new Error(`health: two roles of one name in ${names.join(', ')}`);
    this.#options = options;
    ({ host: this.#host, port: this.#port } = hostAndPort(options.address));
    this.#readiness = new Readiness(options.contributions, options.log);
  }

  /**
   * Answers from now on.
   * @returns the port, which matters where 0 was asked for.
   * @throws {Error} that names port and setting when the port is in use or may not be used.
   */
  async listen(): Promise<number> {
    // Kept-alive connections of probes must not hold up the exit.
    const adapter = new FastifyAdapter({ forceCloseConnections: true, bodyLimit: 1024 });
    this.#application = await NestFactory.create<NestFastifyApplication>(
      HealthModule.register(this.#readiness, this.#options.metrics),
      adapter,
      { logger: new NestLog(this.#options.log), abortOnError: false },
    );
    try {
      await this.#application.listen(this.#port, this.#host);
    } catch (error) {
      await this.close();
      throw this.#listenError(error);
    }
    const address = adapter.getHttpServer().address();
    return typeof address === 'object' && address !== null ? address.port : this.#port;
  }

  /** Not ready from now on; live still. */
  setDraining(): void {
    this.#readiness.setDraining();
  }

  async close(): Promise<void> {
    const application = this.#application;
    this.#application = undefined;
    await application?.close();
  }

  #listenError(error: unknown): Error {
    const { address, setting } = this.#options;
    const code = (error as { code?: unknown } | null)?.code;
    const what =
      code === 'EADDRINUSE'
        ? `${address} is in use`
        : code === 'EACCES'
          ? `${address} may not be used by this user`
          : `${address} cannot be listened on`;
    return new Error(`health: ${what}; set ${setting} to another address`, { cause: error });
  }
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  const port = Number(address.slice(colon + 1));
  const host = address.slice(0, Math.max(0, colon)).replace(/^\[(.*)\]$/, '$1');
  if (colon <= 0 || host === '' || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`health: ${address} is no address such as 0.0.0.0:9064`);
  }
  return { host, port };
}
