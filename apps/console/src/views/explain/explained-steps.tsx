import { Code, Group, Stack, Text, ThemeIcon } from '@mantine/core';
import { IconCheck, IconClock, IconMinus } from '@tabler/icons-react';
import type { DeliveryExplanation } from '#client';
import { DataTable } from '../../page/data-table';
import { Time } from '../../page/time';
import { toneOf } from '../../words/delivery-states';
import { meaningOfRule } from '../../words/rules';
import { toneColours, toneIcons } from '../../words/tones';
import { Words } from '../../words/words';
import { type ExplainedStep, stepsOf } from './explain-steps';

/** Every decision of the sender in its order, with the rule that decided. */
export function ExplainedSteps({ delivery }: { delivery: DeliveryExplanation }) {
  return (
    <Stack component="ol" gap="sm" m={0} p={0} aria-label="Steps" style={{ listStyle: 'none' }}>
      {stepsOf(delivery).map((step) => (
        <Group component="li" key={step.name} gap="sm" align="flex-start" wrap="nowrap">
          <Icon step={step} delivery={delivery} />
          <div style={{ minWidth: 0 }}>
            <Text size="sm">
              <b>{step.name}.</b> <Result step={step} delivery={delivery} />
            </Text>
            {(step.result !== 'later' || delivery.state === 'waiting') && <Facts step={step} delivery={delivery} />}
          </div>
        </Group>
      ))}
    </Stack>
  );
}

interface StepProps {
  step: ExplainedStep;
  delivery: DeliveryExplanation;
}

function Icon({ step: { result }, delivery: { state } }: StepProps) {
  if (result === 'passed')
    return (
      <ThemeIcon size={22} radius="xl" color="teal" variant="light">
        <IconCheck size={14} aria-hidden />
      </ThemeIcon>
    );
  if (result === 'later')
    return (
      <ThemeIcon size={22} radius="xl" color="gray" variant="light">
        {state === 'waiting' ? <IconClock size={14} aria-hidden /> : <IconMinus size={14} aria-hidden />}
      </ThemeIcon>
    );
  const Decided = toneIcons[toneOf(state)];
  return (
    <ThemeIcon size={22} radius="xl" color={toneColours[toneOf(state)]}>
      <Decided size={14} aria-hidden />
    </ThemeIcon>
  );
}

function Result({ step: { result, passed }, delivery: { state, rule, detail } }: StepProps) {
  if (result === 'passed') return `${passed}.`;
  if (result === 'later')
    return (
      <Text span c="dimmed">
        {state === 'waiting' ? 'After that.' : 'Not reached.'}
      </Text>
    );
  return (
    <>
      <Words text={detail ?? (rule ? meaningOfRule(rule) : '')} isSentence />
      {rule && (
        <>
          {' '}
          Rule <Code>{rule}</Code>.
        </>
      )}
    </>
  );
}

/** The figures behind a step: places in limits, provider accounts in their order, faults of the content. */
function Facts({ step: { name }, delivery }: StepProps) {
  const { caps, provider_order, errors } = delivery;
  if (name === 'Limits' && caps.length > 0)
    return (
      <DataTable
        {...SMALL}
        label="Limits that count it"
        head={['Rule', 'Limit', 'Left', 'Next one']}
        rows={caps.map(({ rule, limit, remaining, resets_at }, index) => ({
          id: String(index),
          cells: [
            meaningOfRule(rule),
            limit.toLocaleString(),
            remaining.toLocaleString(),
            <Time key="resets" value={resets_at} none="now" />,
          ],
        }))}
      />
    );
  if (name === 'Provider' && provider_order.length > 0)
    return (
      <DataTable
        {...SMALL}
        label="Accounts in the order in which they are tried"
        head={['Account', 'Provider', 'Health', 'Takes it']}
        rows={provider_order.map(({ name: account, provider, owner, health, permitted, detail }, index) => ({
          id: String(index),
          cells: [
            account ?? `of the ${owner}`,
            provider,
            HEALTH[health],
            permitted ? 'yes' : `no${detail ? `: ${detail}` : ''}`,
          ],
        }))}
      />
    );
  if (name === 'Content' && errors.length > 0)
    return errors.map(({ pointer, message }) => (
      <Text key={pointer} size="sm" c="var(--mantine-color-error)">
        <Code>{pointer}</Code> {message}
      </Text>
    ));
  return null;
}

const SMALL = { fz: 'xs', mt: 4, withTableBorder: true } as const;
const HEALTH = { closed: 'works', half_open: 'is tried again', open: 'does not work' };
