import { Controller, Get, Inject } from '@nestjs/common';
import { z } from 'zod';
import { Endpoint } from '../endpoint/endpoint.js';
import { OpenApi } from './openapi.js';

const answer = z.looseObject({ openapi: z.string(), paths: z.looseObject({}) });

/** What can be called. */
@Controller('openapi.json')
export class OpenApiController {
  constructor(@Inject(OpenApi) private readonly openApi: OpenApi) {}

  @Get()
  @Endpoint({
    summary: 'This document',
    isPublic: true,
    answer,
    example: { openapi: '3.0.0', paths: {} },
  })
  document(): Promise<object> {
    return this.openApi.document();
  }
}
