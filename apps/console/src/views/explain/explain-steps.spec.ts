import { describe, expect, it } from 'vitest';
import { ruleMeanings } from '../../words/rules';
import { faultsByField } from './explain-draft';
import { stepsOf } from './explain-steps';

const results = (rule: Parameters<typeof stepsOf>[0]['rule'], state: 'sent' | 'suppressed' | 'waiting') =>
  stepsOf({ rule, state }).map(({ name, result }) => `${name} ${result}`);

describe('the steps of an explanation', () => {
  it('before the rule that decided are passed, those after it are not reached', () => {
    expect(results('recipient.preferences', 'suppressed')).toEqual([
      'Time passed',
      'Address passed',
      'Consent decided',
      'Digest later',
      'Quiet hours later',
      'Limits later',
      'Content later',
      'Provider later',
    ]);
    expect(new Set(stepsOf({ rule: null, state: 'sent' }).map(({ result }) => result))).toEqual(new Set(['passed']));
  });

  it('have a place for every rule that explain can name', () => {
    // These decide while a delivery is sent, which explain does not do.
    const later = ['provider.answer', 'retry_schedule', 'pipeline.capacity', 'pipeline.quarantine'];
    const undecided = Object.keys(ruleMeanings).filter(
      (rule) => !stepsOf({ rule: rule as never, state: 'suppressed' }).some(({ result }) => result === 'decided'),
    );
    expect(undecided).toEqual(later);
  });
});

describe('a fault of the API', () => {
  it('is shown at the field that it is about, with its place in the JSON', () => {
    expect(faultsByField({ '/payload/name': 'is required', '/payload/id': 'is not a number' })).toEqual({
      payload: 'name: is required; id: is not a number',
    });
    expect(faultsByField({ '/template_id': 'there is no template' })).toEqual({ templateId: 'there is no template' });
  });
});
