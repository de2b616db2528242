import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheck, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import type { HealthCheckResult } from '@nestjs/terminus';
import { Readiness } from './readiness.js';

/** Nobody reads an OpenAPI description of these, and loading what writes one takes a fifth of the start. */
const PLAIN = { noCache: true, swaggerDocumentation: false };

/** For orchestrators and load balancers: 200 or 503, and a body for people. */
@Controller('health')
export class HealthController {
  readonly #health: HealthCheckService;
  readonly #indicators: HealthIndicatorService;
  readonly #readiness: Readiness;

  constructor(
    @Inject(HealthCheckService) health: HealthCheckService,
    @Inject(HealthIndicatorService) indicators: HealthIndicatorService,
    @Inject(Readiness) readiness: Readiness,
  ) {
    this.#health = health;
    this.#indicators = indicators;
    this.#readiness = readiness;
  }

  /** The loop turns: that this is answered at all says so. Draining is no reason to be killed. */
  @Get('live')
  @HealthCheck(PLAIN)
  live(): Promise<HealthCheckResult> {
    return this.#health.check([() => this.#indicators.check('process').up()]);
  }

  /** It can do its work. Something broken that it works without is `degraded`, and still 200. */
  @Get('ready')
  @HealthCheck(PLAIN)
  ready(): Promise<HealthCheckResult> {
    return this.#health.check(this.#readiness.ready(this.#indicators));
  }

  /** It was ready once. */
  @Get('startup')
  @HealthCheck(PLAIN)
  startup(): Promise<HealthCheckResult> {
    return this.#health.check(this.#readiness.started(this.#indicators));
  }
}
