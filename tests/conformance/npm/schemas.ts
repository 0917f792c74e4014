// What vendors answer, in the types that they publish with their clients: one member per schema.
import type { BetaErrorResponse } from "@anthropic-ai/sdk/resources/beta/beta";
import type {
  BetaMessage,
  BetaMessageTokensCount,
  BetaRawMessageStreamEvent,
  MessageCountTokensParams as BetaMessageCountTokensParams,
  MessageCreateParams as BetaMessageCreateParams,
} from "@anthropic-ai/sdk/resources/beta/messages/messages";
import type {
  Message,
  MessageCountTokensParams,
  MessageCreateParams,
  MessageTokensCount,
  RawMessageStreamEvent,
} from "@anthropic-ai/sdk/resources/messages/messages";
import type { ModelInfo } from "@anthropic-ai/sdk/resources/models";
import type { ErrorResponse as AnthropicErrorResponse } from "@anthropic-ai/sdk/resources/shared";
import type { FlagsResponse, RemoteConfig } from "posthog-js";
import type * as resend from "resend";

// Events and errors that the API reference names and the client has no type for.
type Ping = { type: "ping" };
type TooLarge = { type: "error"; error: { type: "request_too_large"; message: string }; request_id: string | null };

export interface Anthropic {
  CountTokensParams: MessageCountTokensParams;
  CreateParams: MessageCreateParams;
  ErrorResponse: AnthropicErrorResponse | TooLarge;
  Event: RawMessageStreamEvent | Ping;
  Message: Message;
  ModelInfo: ModelInfo;
  ModelList: { data: ModelInfo[]; first_id: string | null; has_more: boolean; last_id: string | null };
  TokensCount: MessageTokensCount;
}

export interface AnthropicBeta {
  CountTokensParams: BetaMessageCountTokensParams;
  CreateParams: BetaMessageCreateParams;
  ErrorResponse: BetaErrorResponse | TooLarge;
  Event: BetaRawMessageStreamEvent | Ping;
  Message: BetaMessage;
  TokensCount: BetaMessageTokensCount;
}

// The service also names the key it was asked by, and a compression that its client has no use for.
type Config = Omit<RemoteConfig, "supportedCompression"> & {
  supportedCompression: ("base64" | "gzip" | "gzip-js")[];
  token?: string;
};

export interface PostHog {
  // `/flags/?v=2` has flags in the newer form only; the configuration comes along where the client asks for it.
  Flags: Omit<FlagsResponse, keyof RemoteConfig | "featureFlags" | "featureFlagPayloads"> & Partial<Config>;
  Decided: Pick<FlagsResponse, "errorsWhileComputingFlags" | "featureFlags" | "featureFlagPayloads"> & Config;
  RemoteConfig: Config;
}

// The API reference names what the receiving server said, and why an address is suppressed; the client's types do not.
type Bounced = Omit<resend.EmailBouncedEvent, "data"> & {
  data: Omit<resend.EmailBouncedEvent["data"], "bounce"> & {
    bounce: resend.EmailBouncedEvent["data"]["bounce"] & { diagnosticCode: string[] };
  };
};
type Suppressed = Omit<resend.EmailSuppressedEvent, "data"> & {
  data: Omit<resend.EmailSuppressedEvent["data"], "suppressed"> & {
    suppressed: resend.EmailSuppressedEvent["data"]["suppressed"] & { diagnosticCode: string[]; reason: string };
  };
};
type Payload =
  | Exclude<resend.WebhookEventPayload, resend.EmailBouncedEvent | resend.EmailSuppressedEvent>
  | Bounced
  | Suppressed;

export interface Resend {
  CancelEmail: resend.CancelEmailResponseSuccess;
  CreateApiKey: resend.CreateApiKeyResponseSuccess;
  CreateContact: resend.CreateContactResponseSuccess;
  CreateEmail: resend.CreateEmailResponseSuccess;
  CreateWebhook: resend.CreateWebhookResponseSuccess;
  Error: resend.ErrorResponse;
  GetContact: resend.GetContactResponseSuccess;
  GetEmail: resend.GetEmailResponseSuccess;
  GetSegment: resend.GetSegmentResponseSuccess;
  GetWebhook: resend.GetWebhookResponseSuccess;
  GetWebhookEvent: Omit<resend.GetWebhookEventResponseSuccess, "payload"> & { payload: Payload };
  ListApiKeys: resend.ListApiKeysResponseSuccess;
  ListContactSegments: resend.ListContactSegmentsResponseSuccess;
  ListContacts: resend.ListContactsResponseSuccess;
  ListEmails: resend.ListEmailsResponseSuccess;
  ListSegments: resend.ListSegmentsResponseSuccess;
  ListWebhookEventAttempts: resend.ListWebhookEventAttemptsResponseSuccess;
  ListWebhookEvents: resend.ListWebhookEventsResponseSuccess;
  ListWebhooks: resend.ListWebhooksResponseSuccess;
  RemoveApiKey: resend.RemoveApiKeyResponseSuccess;
  RemoveSegment: resend.RemoveSegmentResponseSuccess;
  RemoveWebhook: resend.RemoveWebhookResponseSuccess;
  ReplayWebhookEvent: resend.ReplayWebhookEventResponseSuccess;
  RotateWebhookSigningSecret: resend.RotateWebhookSigningSecretResponseSuccess;
  UpdateApiKey: resend.UpdateApiKeyResponseSuccess;
  UpdateContact: resend.UpdateContactResponseSuccess;
  UpdateEmail: resend.UpdateEmailResponseSuccess;
  UpdateSegment: resend.UpdateSegmentResponseSuccess;
  UpdateWebhook: resend.UpdateWebhookResponseSuccess;
}
