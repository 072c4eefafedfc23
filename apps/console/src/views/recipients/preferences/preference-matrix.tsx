import { Box, Group, NativeSelect, Paper, Table, Text, Tooltip } from '@mantine/core';
import { IconCheck, IconLock, IconX } from '@tabler/icons-react';
import type { Preferences, RecipientPreferencesEffectiveResponse } from '#client';
import { channelName, channelTitle } from '../../../words/channels';
import { type Choice, choiceAt, type Place, withChoice } from './preference-choices';

type Category = RecipientPreferencesEffectiveResponse['categories'][number];
type Decision = Category['channels'][string];

/** docs/preferences.md has their order. */
const RULES: Record<string, string> = {
  'tenant.status': 'tenant suspended',
  suppression_list: 'suppression list',
  'tenant.enforced': 'enforced by you',
  'category.mandatory': 'mandatory category',
  'recipient.preferences': 'their own choice',
  'tenant.defaults': 'your default',
  'category.default': 'default of the category',
};

const CHOICES = [
  { value: 'none', label: 'No choice' },
  { value: 'on', label: 'On' },
  { value: 'off', label: 'Off' },
];

/** The names stay in sight while the channels are scrolled. */
const STICKY = { position: 'sticky', left: 0, background: 'var(--mantine-color-body)', zIndex: 1 } as const;

interface MatrixProps {
  decided: RecipientPreferencesEffectiveResponse;
  saved: Preferences;
  preferences: Preferences;
  /** Undefined if it may not be changed. */
  change: ((preferences: Preferences) => void) | undefined;
}

export function PreferenceMatrix({ decided, saved, preferences, change }: MatrixProps) {
  const { categories } = decided;
  const channels = Object.keys(categories[0]?.channels ?? {});
  function choice(place: Place, label: string) {
    const value = choiceAt(preferences, place);
    if (!change) return value === 'none' ? null : <Text size="xs">Chose {value}</Text>;
    return (
      <NativeSelect
        size="xs"
        aria-label={label}
        data={CHOICES}
        value={value}
        data-changed={value !== choiceAt(saved, place) || undefined}
        fw={value === 'none' ? 400 : 600}
        onChange={(event) => change(withChoice(preferences, place, event.currentTarget.value as Choice))}
        miw={104}
      />
    );
  }
  return (
    <Paper withBorder style={{ overflowX: 'auto' }} tabIndex={0} role="region" aria-label="Preferences">
      <Table verticalSpacing="xs" aria-label="Preferences" withColumnBorders>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" style={STICKY}>
              Category
            </Table.Th>
            <Table.Th scope="col">Whole category</Table.Th>
            {channels.map((channel) => (
              <Table.Th key={channel} scope="col">
                {channelTitle(channel)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          <Table.Tr>
            <Table.Th scope="row" style={STICKY}>
              All categories
            </Table.Th>
            <Table.Td />
            {channels.map((channel) => (
              <Table.Td key={channel}>
                {choice({ category: null, channel }, `${channelTitle(channel)}, all categories`)}
              </Table.Td>
            ))}
          </Table.Tr>
          {categories.map(({ key, name, channels: decisions }) => (
            <Table.Tr key={key}>
              <Table.Th scope="row" style={STICKY}>
                {name ?? key}
                {name !== null && name !== key && (
                  <Text size="xs" c="dimmed" fw={400}>
                    {key}
                  </Text>
                )}
              </Table.Th>
              <Table.Td>{choice({ category: key, channel: null }, `${name ?? key}, all channels`)}</Table.Td>
              {channels.map((channel) => (
                <Table.Td key={channel}>
                  <Decided decision={decisions[channel]} />
                  {decisions[channel]?.changeable &&
                    choice({ category: key, channel }, `${name ?? key}, ${channelName(channel)}`)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

function Decided({ decision }: { decision: Decision | undefined }) {
  if (!decision) return null;
  const { enabled, rule, changeable } = decision;
  return (
    <Box mb={changeable ? 4 : 0}>
      <Group gap={4} wrap="nowrap">
        {enabled ? (
          <IconCheck size={16} color="var(--mantine-color-teal-text)" aria-hidden />
        ) : (
          <IconX size={16} color="var(--mantine-color-red-text)" aria-hidden />
        )}
        <Text size="sm" fw={600}>
          {enabled ? 'Sent' : 'Not sent'}
        </Text>
        {!changeable && (
          <Tooltip label="The recipient cannot change it">
            <IconLock size={14} role="img" aria-label="The recipient cannot change it" />
          </Tooltip>
        )}
      </Group>
      <Text size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
        {RULES[rule] ?? rule}
      </Text>
    </Box>
  );
}
