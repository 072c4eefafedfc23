// Checks a payload against a schema that was read. Every step is charged to a budget, which bounds the time.

import type { ReadKeywords, SchemaNode } from './schema-node.ts';
import { textFormats } from './text-formats.ts';

/** Faults reported of one payload. */
const MAX_FAULTS = 100;
const MAX_EXCERPT = 80;
/** Reading this many characters takes as long as one step. */
const CHARACTERS_PER_STEP = 16;

/** A fault of a payload. */
export interface PayloadFault {
  /** RFC 6901 pointer within the payload: `/order/total`. */
  pointer: string;
  code: 'required' | 'unknown_field' | 'payload_schema';
  message: string;
}

/** Thrown when a check takes more steps than it may. */
export class TooManySteps extends Error {
  constructor() {
    super('the check of the payload takes too many steps');
    this.name = 'TooManySteps';
  }
}

/** Returns the faults of a payload, at most 100. Throws {@link TooManySteps}. */
export function evaluateSchema(schema: SchemaNode, payload: object, budget: { steps: number }): PayloadFault[] {
  const check = new Check(budget);
  check.matches(schema, payload, true);
  return check.faults;
}

type Json = Record<string, unknown>;

class Check {
  readonly faults: PayloadFault[] = [];
  private readonly path: (string | number)[] = [];
  private readonly budget: { steps: number };

  constructor(budget: { steps: number }) {
    this.budget = budget;
  }

  /** Whether a value matches. Reports the faults, or stops at the first one. */
  matches(schema: SchemaNode, value: unknown, reports: boolean): boolean {
    if (schema === true) return true;
    if (schema === false) return this.fail(reports, 'unknown_field', 'must not be given', value);
    this.spend(1 + schema.weight);
    const { type } = schema;
    // The other keywords would repeat that the value has a wrong type.
    if (type && !type.some((one) => hasType(one, value)))
      return this.fail(reports, 'payload_schema', `must be ${type.join(' or ')}`, value);
    let isValid = this.scalar(schema, value, reports);
    for (const one of [this.own, this.combined])
      if (isValid || reports) isValid = one.call(this, schema, value, reports) && isValid;
    return isValid;
  }

  private own(schema: ReadKeywords, value: unknown, reports: boolean): boolean {
    if (typeof value === 'string') return this.text(schema, value, reports);
    if (typeof value === 'number') return this.number(schema, value, reports);
    if (Array.isArray(value)) return this.list(schema, value, reports);
    return typeof value !== 'object' || value === null || this.object(schema, value as Json, reports);
  }

  private scalar(schema: ReadKeywords, value: unknown, reports: boolean): boolean {
    const { enum: values, constant } = schema;
    if (values && !values.includes(value))
      return this.fail(reports, 'payload_schema', `must be one of ${listOf(values)}`, value);
    if (constant && constant[0] !== value)
      return this.fail(reports, 'payload_schema', `must be ${excerpt(constant[0])}`, value);
    return true;
  }

  private text(schema: ReadKeywords, value: string, reports: boolean): boolean {
    this.spend(value.length / CHARACTERS_PER_STEP);
    const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema;
    const faults: string[] = [];
    if (minLength > 0 || maxLength < value.length) {
      const length = characters(value);
      if (length < minLength) faults.push(`must have at least ${minLength} characters`);
      if (length > maxLength) faults.push(`must have at most ${maxLength} characters`);
    }
    if (pattern) {
      this.spend((pattern.size * Math.min(value.length, pattern.maxLength)) / 2);
      if (!pattern.test(value)) faults.push(`must match the pattern ${JSON.stringify(pattern.source)}`);
    }
    if (format && !textFormats[format]!(value)) faults.push(`must have the format ${format}`);
    return this.failAll(reports, faults, value);
  }

  private number(schema: ReadKeywords, value: number, reports: boolean): boolean {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
    const faults: string[] = [];
    if (minimum !== undefined && value < minimum) faults.push(`must be at least ${minimum}`);
    if (maximum !== undefined && value > maximum) faults.push(`must be at most ${maximum}`);
    if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
      faults.push(`must be more than ${exclusiveMinimum}`);
    if (exclusiveMaximum !== undefined && value >= exclusiveMaximum)
      faults.push(`must be less than ${exclusiveMaximum}`);
    if (multipleOf !== undefined && !Number.isInteger(value / multipleOf))
      faults.push(`must be a multiple of ${multipleOf}`);
    return this.failAll(reports, faults, value);
  }

  private list(schema: ReadKeywords, value: readonly unknown[], reports: boolean): boolean {
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, prefixItems = [], items = true } = schema;
    const faults: string[] = [];
    if (value.length < minItems) faults.push(`must have at least ${minItems} items`);
    if (value.length > maxItems) faults.push(`must have at most ${maxItems} items`);
    let isValid = this.failAll(reports, faults, value);
    const checked = items === true ? Math.min(prefixItems.length, value.length) : value.length;
    for (let index = 0; index < checked && (isValid || reports); index += 1)
      isValid = this.inside(index, prefixItems[index] ?? items, value[index], reports) && isValid;
    return isValid;
  }

  private object(schema: ReadKeywords, value: Json, reports: boolean): boolean {
    const { required = [], properties, additionalProperties = true, propertyNames } = schema;
    const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
    let isValid = true;
    for (const name of required)
      if (!Object.hasOwn(value, name)) isValid = this.failAt(name, reports, 'required', 'is required');
    for (const [name, item] of properties ?? [])
      if ((isValid || reports) && Object.hasOwn(value, name))
        isValid = this.inside(name, item, value[name], reports) && isValid;
    if (
      additionalProperties === true &&
      !propertyNames &&
      minProperties === 0 &&
      maxProperties === Number.POSITIVE_INFINITY
    )
      return isValid;
    const names = Object.keys(value);
    this.spend(names.length);
    const faults: string[] = [];
    if (names.length < minProperties) faults.push(`must have at least ${minProperties} fields`);
    if (names.length > maxProperties) faults.push(`must have at most ${maxProperties} fields`);
    isValid = this.failAll(reports, faults, value) && isValid;
    for (const name of names) {
      if (!isValid && !reports) return false;
      if (propertyNames && !this.matches(propertyNames, name, false)) {
        isValid = false;
        if (reports) this.report('payload_schema', `must not have the name ${excerpt(name)}`);
      }
      if (additionalProperties === true || properties?.has(name)) continue;
      if (additionalProperties === false)
        isValid = this.failAt(name, reports, 'unknown_field', `there is no field ${excerpt(name)}`);
      else isValid = this.inside(name, additionalProperties, value[name], reports) && isValid;
    }
    return isValid;
  }

  private combined(schema: ReadKeywords, value: unknown, reports: boolean): boolean {
    const { allOf = [], anyOf, oneOf, not, if: condition } = schema;
    let isValid = true;
    for (const one of allOf) if (isValid || reports) isValid = this.matches(one, value, reports) && isValid;
    // Of alternatives that all fail only one fault is reported, not those of each.
    if (anyOf && !anyOf.some((one) => this.matches(one, value, false)))
      isValid = this.fail(reports, 'payload_schema', 'must match one of the alternatives', value);
    if (oneOf && oneOf.filter((one) => this.matches(one, value, false)).length !== 1)
      isValid = this.fail(reports, 'payload_schema', 'must match exactly one of the alternatives', value);
    if (not !== undefined && this.matches(not, value, false))
      isValid = this.fail(reports, 'payload_schema', 'must not match the schema of "not"', value);
    if (condition === undefined) return isValid;
    const { whenTrue = true, whenFalse = true } = schema;
    return this.matches(this.matches(condition, value, false) ? whenTrue : whenFalse, value, reports) && isValid;
  }

  private inside(name: string | number, schema: SchemaNode, value: unknown, reports: boolean): boolean {
    this.path.push(name);
    const isValid = this.matches(schema, value, reports);
    this.path.pop();
    return isValid;
  }

  private failAt(name: string, reports: boolean, code: PayloadFault['code'], message: string): false {
    this.path.push(name);
    if (reports) this.report(code, message);
    this.path.pop();
    return false;
  }

  private failAll(reports: boolean, messages: readonly string[], value: unknown): boolean {
    for (const message of messages) this.fail(reports, 'payload_schema', message, value);
    return messages.length === 0;
  }

  private fail(reports: boolean, code: PayloadFault['code'], message: string, value: unknown): false {
    if (reports) this.report(code, `${message}, got ${excerpt(value)}`);
    return false;
  }

  private report(code: PayloadFault['code'], message: string): void {
    if (this.faults.length === MAX_FAULTS) return;
    const names = this.path.map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`);
    this.faults.push({ pointer: names.join(''), code, message });
  }

  private spend(steps: number): void {
    this.budget.steps -= steps;
    if (this.budget.steps < 0) throw new TooManySteps();
  }
}

function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'string':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean';
    default:
      return typeof value === 'number';
  }
}

/** Counts as JSON Schema does: a surrogate pair is one character. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function listOf(values: readonly unknown[]): string {
  const shown = values.slice(0, 10).map(excerpt).join(', ');
  return values.length > 10 ? `${shown}, …` : shown;
}

/** Not the whole value: a payload may be large, and have many faults. */
function excerpt(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > MAX_EXCERPT ? `${value.slice(0, MAX_EXCERPT)}…` : value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
