import { expect, inject, it } from 'vitest';
import { COMPARABLE_ADDRESS } from '#database';
import { comparableAddress } from '#domain';
import { connect } from '#testing';

it('compares addresses in SQL as in TypeScript', async () => {
  const cases = (['email', 'sms', 'push', 'chat'] as const).flatMap((channel) =>
    ['Ann@Example.COM', '+49170123', 'Device-Token'].map((address) => ({ channel, address })),
  );
  const admin = await connect(inject('postgresUrl'));
  const { rows } = await admin.query<{ compared: string }>(
    `select ${COMPARABLE_ADDRESS} as compared
     from jsonb_to_recordset($1) as d(channel text, address text) cross join (select null::text as email, null::text as phone) r`,
    [JSON.stringify(cases)],
  );
  await admin.end();
  expect(rows.map(({ compared }) => compared)).toEqual(
    cases.map(({ channel, address }) => comparableAddress(channel, address)),
  );
});
