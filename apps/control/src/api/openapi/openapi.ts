import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Type } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { describeEndpoints } from './describe-endpoints.js';

const DESCRIPTION = `Who is watching, and why somebody is not.

Every call but this document needs a bearer token: \`Authorization: Bearer <token>\`. One is in the file \`admin-token\` of control’s data folder; others are set in \`control.tokens\`. An observer may call every GET and what changes nothing; an operator everything. Every call that changes something is in the audit log.

Whatever goes wrong is a problem document (RFC 9457), with what to do. Parameters and members that are not known are refused. Instants are UTC.`;

/** The OpenAPI document, made when somebody asks for it: what makes it is large, and no start waits for it. */
export class OpenApi {
  #made: Promise<OpenAPIObject> | undefined;
  #application: NestFastifyApplication | undefined;

  constructor(
    private readonly controllers: readonly Type[],
    private readonly version: string,
  ) {}

  /** Of this application, which is not there yet when its parts are made. */
  of(application: NestFastifyApplication): void {
    this.#application = application;
  }

  document(): Promise<OpenAPIObject> {
    this.#made ??= this.#make();
    return this.#made;
  }

  async #make(): Promise<OpenAPIObject> {
    const application = this.#application;
    if (application === undefined) throw new Error('the OpenAPI document of no application');
    const swagger = await import('@nestjs/swagger');
    describeEndpoints(swagger, this.controllers);
    const about = new swagger.DocumentBuilder()
      .setTitle('Usher')
      .setDescription(DESCRIPTION)
      .setVersion(this.version)
      .addBearerAuth({ type: 'http', scheme: 'bearer' }, 'token')
      .build();
    return swagger.SwaggerModule.createDocument(application, about, {
      operationIdFactory: (controller, method) =>
        `${controller.replace(/Controller$/, '').toLowerCase()}_${method}`,
    });
  }
}
