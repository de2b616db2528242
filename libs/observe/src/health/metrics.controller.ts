import { Controller, Get, Header, Inject } from '@nestjs/common';
import { Metrics } from '../metrics/metrics.js';

/** The numbers of this process, as Prometheus reads them. */
@Controller('metrics')
export class MetricsController {
  readonly #metrics: Metrics;

  constructor(@Inject(Metrics) metrics: Metrics) {
    this.#metrics = metrics;
  }

  @Get()
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  @Header('Cache-Control', 'no-store')
  read(): Promise<string> {
    return this.#metrics.text();
  }
}
