import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Metrics } from '../metrics/metrics.js';
import { HealthController } from './health.controller.js';
import { MetricsController } from './metrics.controller.js';
import { Readiness } from './readiness.js';

/** Health and metrics of one process, for any Nest application. */
@Module({})
export class HealthModule {
  static register(readiness: Readiness, metrics: Metrics): DynamicModule {
    return {
      module: HealthModule,
      // Terminus would write a line for every failed probe; Readiness writes one for every change.
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController, MetricsController],
      providers: [
        { provide: Readiness, useValue: readiness },
        { provide: Metrics, useValue: metrics },
      ],
    };
  }
}
