import { Code, Group, Timeline as MantineTimeline, Text } from '@mantine/core';
import { timeInWords, wholeTime } from '../../page/time';
import { shortDuration } from '../../words/amounts';
import { meaningOfRule } from '../../words/rules';
import { type Entry, stepWords } from '../../words/timeline-words';
import { toneColours, toneIcons } from '../../words/tones';
import { Words } from '../../words/words';

/** The steps of a delivery, oldest first. */
export function Timeline({ entries }: { entries: readonly Entry[] }) {
  return (
    <MantineTimeline
      active={entries.length}
      bulletSize={24}
      lineWidth={2}
      role="list"
      aria-label="Timeline"
      color="gray"
    >
      {entries.map((entry, index) => {
        const { title, tone } = stepWords(entry);
        const Icon = toneIcons[tone];
        return (
          <MantineTimeline.Item
            // biome-ignore lint/suspicious/noArrayIndexKey: entries are added at the end only and have no id.
            key={index}
            role="listitem"
            title={title}
            color={toneColours[tone]}
            bullet={<Icon size={14} aria-hidden />}
          >
            <Step entry={entry} since={entries[0]!.at} />
          </MantineTimeline.Item>
        );
      })}
    </MantineTimeline>
  );
}

function Step({ entry, since }: { entry: Entry; since: string }) {
  const { text } = stepWords(entry);
  const { at, rule, detail, until, provider_code, duration_ms } = entry;
  return (
    <>
      {text && (
        <Text size="sm">
          <Words text={text} isSentence />
        </Text>
      )}
      {until !== null && (
        <Text size="sm">
          Until {wholeTime(until)} ({timeInWords(until, Date.now())})
        </Text>
      )}
      {detail && (
        <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          “{detail}”
        </Text>
      )}
      {rule !== null && (
        <Text size="sm" c="dimmed">
          Rule <Code title={meaningOfRule(rule)}>{rule}</Code>
        </Text>
      )}
      <Group gap="xs" mt={2}>
        <Text size="xs" c="dimmed" component="time" dateTime={at}>
          {wholeTime(at)}
          {at !== since && `, + ${shortDuration(Date.parse(at) - Date.parse(since))}`}
        </Text>
        {provider_code && <Code fz="xs">{provider_code}</Code>}
        {duration_ms !== null && (
          <Text size="xs" c="dimmed">
            took {duration_ms} ms
          </Text>
        )}
      </Group>
    </>
  );
}
