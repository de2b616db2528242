import { RequestMethod, type Type } from '@nestjs/common';
import { HTTP_CODE_METADATA, METHOD_METADATA } from '@nestjs/common/constants.js';
import { z } from 'zod';
import { findEndpoint, isChange, type EndpointFacts } from '../endpoint/endpoint.js';
import { Problem, PROBLEMS, type ProblemCode } from '../problems/problem.js';

type Swagger = typeof import('@nestjs/swagger');
type JsonSchema = NonNullable<Extract<Parameters<Swagger['ApiParam']>[0], { schema?: unknown }>['schema']>;

/** Controllers that were described: decorators add up, and a process may make the document twice. */
const described = new WeakSet<object>();

/** Tells @nestjs/swagger what the routes' own facts say: nothing is written down twice. */
export function describeEndpoints(swagger: Swagger, controllers: readonly Type[]): void {
  for (const controller of controllers.filter((one) => !described.has(one))) {
    described.add(controller);
    const prototype = controller.prototype as Record<string, unknown>;
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const handler = prototype[name];
      if (typeof handler !== 'function') continue;
      const facts = findEndpoint(handler);
      if (facts === undefined) continue;
      const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!;
      for (const decorate of decoratorsOf(swagger, facts, handler)) decorate(prototype, name, descriptor);
    }
    const tag = controller.name.replace(/Controller$/, '').toLowerCase();
    swagger.ApiTags(tag)(controller);
  }
}

function decoratorsOf(swagger: Swagger, facts: EndpointFacts, handler: object): MethodDecorator[] {
  const { summary, description, isPublic, query, params, body, bodyExample } = facts;
  const method = RequestMethod[Number(Reflect.getMetadata(METHOD_METADATA, handler) ?? RequestMethod.GET)]!;
  const changes = isChange(method, facts);
  const role = changes ? 'For operators; stands in the audit log.' : undefined;
  const told = [description, role].filter((text) => text !== undefined).join('\n\n');
  return [
    swagger.ApiOperation({ summary, ...(told === '' ? {} : { description: told }) }),
    ...(isPublic === true ? [] : [swagger.ApiBearerAuth('token') as MethodDecorator]),
    ...fieldsOf(query).map(({ name, required, schema }) => swagger.ApiQuery({ name, required, schema })),
    ...fieldsOf(params).map(({ name, schema }) => swagger.ApiParam({ name, schema })),
    ...(body === undefined
      ? []
      : [
          swagger.ApiBody({
            schema: jsonSchema(body, 'input'),
            ...(bodyExample === undefined ? {} : { examples: { example: { value: bodyExample } } }),
          }),
        ]),
    swagger.ApiResponse(answerOf(facts, handler, method)),
    ...problemsOf(facts, changes).map((codes) => swagger.ApiResponse(problemResponse(codes))),
  ];
}

function answerOf({ answer, example, type }: EndpointFacts, handler: object, method: string) {
  const status = Number(Reflect.getMetadata(HTTP_CODE_METADATA, handler) ?? (method === 'POST' ? 201 : 200));
  const mediaType: string = type ?? 'application/json';
  const content = { [mediaType]: { schema: jsonSchema(answer, 'input'), example } };
  return { status, description: 'The answer.', content };
}

/** By status: several problems may have one. */
function problemsOf(facts: EndpointFacts, changes: boolean): ProblemCode[][] {
  const codes = new Set<ProblemCode>(['bad-parameter', 'internal', ...(facts.problems ?? [])]);
  if (facts.isPublic !== true) for (const code of TOKEN_PROBLEMS) codes.add(code);
  if (changes) codes.add('role-too-low');
  if (facts.body !== undefined) for (const code of BODY_PROBLEMS) codes.add(code);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return [...byStatus.values()];
}

const TOKEN_PROBLEMS = ['no-token', 'wrong-token', 'too-many-logins'] as const;
const BODY_PROBLEMS = ['bad-json', 'too-large', 'wrong-type', 'bad-body'] as const;

export const problemSchema = z.strictObject({
  type: z.string().describe('urn:usher:problem:<code>'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  whatToDo: z.string(),
  errors: z
    .array(z.strictObject({ parameter: z.string(), says: z.string() }))
    .optional()
    .describe('What is wrong where, and what is allowed.'),
});

function problemResponse(codes: readonly ProblemCode[]) {
  const { status, title } = PROBLEMS[codes[0]!];
  const examples = Object.fromEntries(
    codes.map((code) => [code, { value: new Problem(code, PROBLEMS[code].title).document() }]),
  );
  const content = { 'application/problem+json': { schema: jsonSchema(problemSchema, 'output'), examples } };
  return { status, description: codes.length === 1 ? title : codes.join(', '), content };
}

function fieldsOf(schema: z.ZodObject | undefined) {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => ({
    name,
    required: !(field as z.ZodType).safeParse(undefined).success,
    schema: jsonSchema(field as z.ZodType, 'input'),
  }));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  return z.toJSONSchema(schema, { target: 'openapi-3.0', io, unrepresentable: 'any' }) as JsonSchema;
}
