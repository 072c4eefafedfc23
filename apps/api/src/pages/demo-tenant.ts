/** The parts of the demo tenant that the pages use. */
export interface DemoTenant {
  apiKey: string;
  recipientId: string;
  recipientName: string;
}
