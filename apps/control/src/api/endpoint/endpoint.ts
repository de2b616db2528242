import 'reflect-metadata';
import type { z } from 'zod';
import type { ProblemCode } from '../problems/problem.js';

/** What is to be known of one call: for its access, its check, the audit log and the OpenAPI document. */
export interface EndpointFacts {
  /** What it does, in a few words: stands in the audit log too. */
  readonly summary: string;
  /** More, where it needs it. */
  readonly description?: string;
  /** Needs no token: it holds nothing of this installation. */
  readonly isPublic?: true;
  /** A POST that changes nothing: observers may, and the audit log knows nothing of it. */
  readonly changesNothing?: true;
  /** Without it no parameter is taken. Values are text: `z.coerce`, or a transform, makes more of it. */
  readonly query?: z.ZodObject;
  /** Parts of the path. */
  readonly params?: z.ZodObject;
  /** Without it no body is taken. */
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** Of the answer. Default `application/json`; what is anything else comes as it is, in a stream. */
  readonly type?: 'text/csv';
  /** Of the answer, as it is sent. */
  readonly example: unknown;
  /** Of the body, as it is sent. */
  readonly bodyExample?: unknown;
  /** Besides those that every call may end in. */
  readonly problems?: readonly ProblemCode[];
}

const ENDPOINT = Symbol('endpoint');

/**
 * Every route has one. With it the rest comes by itself: a method other than GET needs the role operator and is
 * written into the audit log, and what comes in is checked against the schemas.
 */
export function Endpoint(facts: EndpointFacts): MethodDecorator {
  return (_target, _name, descriptor) => Reflect.defineMetadata(ENDPOINT, facts, descriptor.value as object);
}

/** The facts of a route's handler; undefined where it has none. */
export function findEndpoint(handler: object): EndpointFacts | undefined {
  return Reflect.getMetadata(ENDPOINT, handler) as EndpointFacts | undefined;
}

/** The same; throws where it has none: nobody may call it. */
export function endpointOf(handler: object): EndpointFacts {
  const facts = findEndpoint(handler);
  if (facts === undefined) throw new Error('a route without @Endpoint');
  return facts;
}

/** It changes something: for operators only, and written into the audit log. */
export function isChange(method: string, { changesNothing }: EndpointFacts): boolean {
  return method !== 'GET' && method !== 'HEAD' && changesNothing !== true;
}
