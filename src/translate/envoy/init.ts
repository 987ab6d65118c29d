import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';

/** The plain form of what makes a message; unlike the library's union with the message itself it can be spread. */
export type Init<Desc extends DescMessage> = Extract<MessageInitShape<Desc>, { readonly $typeName?: never }>;
