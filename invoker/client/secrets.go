package client

import (
	"context"

	"github.com/polyvoke/polyvoke/protocol"
)

// SecretsKey returns the public key to which secrets of the invokers are sealed. The error's code is 503 if the
// invokers have none, or nobody answers.
func (c *Client) SecretsKey(ctx context.Context) (protocol.SecretsKeyReply, error) {
	var reply protocol.SecretsKeyReply
	if err := c.ask(ctx, protocol.APISecretsKey, nil, &reply); err != nil {
		return reply, err
	}
	return reply, protocol.CheckCurveKey(reply.Key)
}

// RotateSecrets has an invoker seal all secrets to its first key. The error's code is 503 if the invokers have none, or
// nobody answers.
func (c *Client) RotateSecrets(ctx context.Context) (protocol.SecretsRotateReply, error) {
	var reply protocol.SecretsRotateReply
	err := c.ask(ctx, protocol.APISecretsRotate, nil, &reply)
	return reply, err
}
