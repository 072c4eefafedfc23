/**
 * SQL for the address of a delivery `d` to a recipient `r` in the form in which the suppression list stores it: the
 * same as comparableAddress() of libs/domain. Null for a channel whose address is not in the recipient's profile.
 */
export const COMPARABLE_ADDRESS = `case d.channel
  when 'email' then lower(coalesce(d.address, r.email))
  when 'sms' then coalesce(d.address, r.phone)
  else d.address
end`;
