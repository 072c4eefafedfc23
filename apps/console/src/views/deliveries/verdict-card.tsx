import { Button, Code, Group, Paper, Stack, Text, ThemeIcon, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useViewContext } from '../../api/view-context';
import { timeInWords, wholeTime } from '../../page/time';
import { toneColours, toneIcons } from '../../words/tones';
import type { Verdict } from '../../words/verdict';
import { Words } from '../../words/words';

interface VerdictCardProps {
  verdict: Verdict;
  dueAt: string | null;
  /** Buttons that act on the delivery itself. */
  actions?: ReactNode;
}

/** Why a delivery is where it is, and what to do next. */
export function VerdictCard({ verdict, dueAt, actions }: VerdictCardProps) {
  const { linkTo, hasView } = useViewContext();
  const { tone, title, text, detail, rule, advice } = verdict;
  const Icon = toneIcons[tone];
  const steps = verdict.steps.filter(({ to }) => hasView(to));
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="verdict">
      <Group align="flex-start" wrap="nowrap">
        <ThemeIcon variant="light" color={toneColours[tone]} size="lg" radius="xl">
          <Icon size={20} aria-hidden />
        </ThemeIcon>
        <Stack gap="xs" miw={0}>
          <Title order={2} size="h4" id="verdict">
            {title}
          </Title>
          <Text>
            <Words text={text} isSentence />
            {dueAt !== null && <DueAt value={dueAt} />}
          </Text>
          {detail && (
            <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              “{detail}”
            </Text>
          )}
          {rule && (
            <Text size="sm" c="dimmed">
              The rule that decided: <Code>{rule.code}</Code>, {rule.meaning}.
            </Text>
          )}
          <Text size="sm">
            <b>What to do:</b> <Words text={advice} isSentence />
          </Text>
          <Group gap="xs">
            {actions}
            {steps.map(({ label, to }) => (
              <Button key={to} component={Link} to={linkTo(to)} variant="default" size="xs">
                {label}
              </Button>
            ))}
          </Group>
        </Stack>
      </Group>
    </Paper>
  );
}

function DueAt({ value }: { value: string }) {
  const words = timeInWords(value, Date.now());
  return (
    <>
      {' '}
      It goes out{' '}
      <time dateTime={value}>
        {Date.parse(value) > Date.now() ? `${words}, at ${wholeTime(value)}` : 'as soon as a worker is free'}
      </time>
      .
    </>
  );
}
