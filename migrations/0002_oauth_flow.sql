-- What a sign-in needs besides the specified columns: the connector it is for, its secrets (PKCE
-- verifier, nonce) sealed, and the browser it is bound to.
ALTER TABLE oauth_state ADD COLUMN connector_id TEXT;
ALTER TABLE oauth_state ADD COLUMN flow_enc TEXT;
ALTER TABLE oauth_state ADD COLUMN session_hash TEXT;
