import { describe, expect, it } from 'vitest';
import type { DeliveryWithTimeline } from '#client';
import type { Entry } from './timeline-words';
import { stepWords } from './timeline-words';
import { verdictOf } from './verdict';

const at = '2026-12-01T08:00:00.000Z';

function entry(given: Partial<Entry>): Entry {
  const none = { attempt: null, outcome: null, provider: null, provider_code: null, reason: null, rule: null };
  return { at, code: 'accepted', ...none, detail: null, duration_ms: null, until: null, ...given };
}

function delivery(given: Partial<DeliveryWithTimeline>): DeliveryWithTimeline {
  return {
    id: '01a22d2d-3c2c-74e4-84bb-4a1592328687',
    notification_id: '01a22d2d-3c2c-74e3-99b8-1837c64c34ad',
    address: null,
    provider_account_id: null,
    trace_id: null,
    channel: 'email',
    recipient_id: 'user 17',
    state: 'waiting',
    reason: null,
    due_at: null,
    provider: null,
    provider_message_id: null,
    template_version: null,
    attempts: 0,
    created_at: at,
    sent_at: null,
    delivered_at: null,
    complained_at: null,
    opened_at: null,
    timeline: [],
    ...given,
  };
}

const facts = { category: 'invoices', templateId: 'invoice', address: 'ann@example.com', providerAccountId: null };

describe('the verdict on a delivery', () => {
  it('of a suppressed address says so, quotes the deciding step and leads to the entry of the list', () => {
    const verdict = verdictOf(
      delivery({
        state: 'suppressed',
        reason: 'suppression_list',
        timeline: [
          entry({}),
          entry({ code: 'suppressed', reason: 'suppression_list', rule: 'suppression_list', detail: 'complained' }),
        ],
      }),
      facts,
    );
    expect(verdict).toMatchObject({
      tone: 'stopped',
      text: 'the address is on the suppression list',
      detail: 'complained',
      rule: { code: 'suppression_list' },
      advice: 'remove the entry if the address works again',
    });
    expect(verdict.steps.map(({ to }) => to)).toEqual([
      '/suppressions?address=ann%40example.com',
      '/recipients/user%2017',
    ]);
  });

  it('reads quiet hours of a waiting delivery as a wait, and of a suppressed one as a decision', () => {
    const waits = verdictOf(delivery({ reason: 'quiet_hours' }), facts);
    const stops = verdictOf(delivery({ state: 'suppressed', reason: 'quiet_hours' }), facts);
    expect(waits.text).toContain('it leaves when they end');
    expect(stops.text).toContain('drop it or to move it to the inbox');
  });

  it('of a failed send quotes the answer of the last attempt if no later step has a text', () => {
    const timeline = [
      entry({ code: 'attempt', attempt: 1, outcome: 'transient', detail: 'first' }),
      entry({ code: 'attempt', attempt: 2, outcome: 'transient', detail: 'second' }),
      entry({ code: 'failed', reason: 'retries_exhausted' }),
    ];
    const verdict = verdictOf(delivery({ state: 'failed', reason: 'retries_exhausted', timeline }), facts);
    expect(verdict).toMatchObject({ tone: 'bad', detail: 'second', text: 'all attempts of the retry schedule failed' });
    expect(verdict.steps).toEqual([{ label: 'Provider accounts', to: '/provider-accounts' }]);
  });

  it('shows a reason, a rule and a code that it does not know as they are', () => {
    const timeline = [entry({ code: 'held', rule: 'moon.phase' })];
    const verdict = verdictOf(delivery({ reason: 'moon_phase', timeline }), facts);
    expect(verdict.rule).toEqual({ code: 'moon.phase', meaning: 'moon.phase' });
    expect(stepWords(entry({ code: 'moved_on' })).title).toBe('moved on');
  });
});
