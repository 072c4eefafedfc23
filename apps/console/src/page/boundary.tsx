import { Alert, Button, Text } from '@mantine/core';
import { Component, type ReactNode } from 'react';

interface BoundaryProps {
  /** Another one, such as the path of a page, gets another try. */
  of: string;
  title: string;
  /** Whether loading the page again may help: the browser keeps a failed script until then. */
  mayReload?: boolean;
  children: ReactNode;
}

interface BoundaryState {
  error: unknown;
  of: string;
}

/** Keeps what is around it on the page when its content fails, for example because its script could not be loaded. */
export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { error: null, of: this.props.of };

  static getDerivedStateFromError(error: unknown): Partial<BoundaryState> {
    return { error };
  }

  static getDerivedStateFromProps({ of }: BoundaryProps, state: BoundaryState): BoundaryState {
    return of === state.of ? state : { error: null, of };
  }

  override render(): ReactNode {
    const { error } = this.state;
    const { title, mayReload, children } = this.props;
    if (error === null) return children;
    return (
      <Alert color="red" role="alert" title={title} maw={640}>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          A part of it could not be loaded, or has failed: {error instanceof Error ? error.message : String(error)}
        </Text>
        {mayReload && (
          <Button size="xs" variant="default" mt="sm" onClick={() => location.reload()}>
            Load it again
          </Button>
        )}
      </Alert>
    );
  }
}
