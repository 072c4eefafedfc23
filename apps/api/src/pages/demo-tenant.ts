/** The tenant of the embedded profile, as the pages need it. */
export interface DemoTenant {
  apiKey: string;
  recipientId: string;
  recipientName: string;
}
