/* What an application in C does with core NATS: publishes, subscribes, asks. Says what it saw, line by line.
 *
 *   core URL */

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 100 };

static void must(natsStatus status, const char *what) {
    if (status == NATS_OK) return;
    fprintf(stderr, "%s: %s\n", what, natsStatus_GetText(status));
    exit(1);
}

static void answer(natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *closure) {
    (void)subscription;
    (void)closure;
    must(natsConnection_PublishString(connection, natsMsg_GetReply(message), "pong"), "answer");
    natsMsg_Destroy(message);
}

static void publish(natsConnection *connection, int number) {
    natsMsg *message = NULL;
    char text[16];
    int count = snprintf(text, sizeof text, "%d", number);
    must(natsMsg_Create(&message, "c.orders", NULL, text, count), "create");
    if (number % 2) must(natsMsgHeader_Set(message, "Number", text), "header");
    must(natsConnection_PublishMsg(connection, message), "publish");
    natsMsg_Destroy(message);
}

int main(int count, char **words) {
    natsOptions *options = NULL;
    natsConnection *connection = NULL, *worker = NULL;
    natsSubscription *orders = NULL, *pings = NULL;
    natsMsg *message = NULL;
    if (count != 2) return 2;
    must(natsOptions_Create(&options), "options");
    must(natsOptions_SetURL(options, words[1]), "url");
    must(natsOptions_SetName(options, "c-app"), "name");
    must(natsConnection_Connect(&connection, options), "connect");
    must(natsConnection_Connect(&worker, options), "connect");
    must(natsConnection_SubscribeSync(&orders, worker, "c.orders"), "subscribe");
    must(natsConnection_Subscribe(&pings, worker, "c.ping", answer, NULL), "subscribe");
    must(natsConnection_Flush(worker), "flush");

    for (int number = 0; number < MESSAGES; number++) publish(connection, number);
    must(natsConnection_Flush(connection), "flush");
    printf("published %d\n", MESSAGES);

    int received = 0, traced = 0, intact = 1;
    for (; received < MESSAGES; received++) {
        const char *value = NULL;
        must(natsSubscription_NextMsg(&message, orders, 10000), "next");
        if (atoi(natsMsg_GetData(message)) != received) intact = 0;
        if (natsMsgHeader_Get(message, "traceparent", &value) == NATS_OK) traced++;
        value = NULL;
        natsStatus has = natsMsgHeader_Get(message, "Number", &value);
        if ((received % 2) != (has == NATS_OK) || (value && atoi(value) != received)) intact = 0;
        natsMsg_Destroy(message);
    }
    printf("received %d\nwith context %d\n%s\n", received, traced,
           intact ? "own headers intact" : "own headers damaged");

    must(natsConnection_RequestString(&message, connection, "c.ping", "ping", 10000), "request");
    printf("reply: %.*s\n", natsMsg_GetDataLength(message), natsMsg_GetData(message));
    natsMsg_Destroy(message);
    natsStatus status = natsConnection_RequestString(&message, connection, "c.nobody", "ping", 10000);
    printf("%s\n", status == NATS_NO_RESPONDERS ? "no responders" : natsStatus_GetText(status));

    natsSubscription_Destroy(orders);
    natsSubscription_Destroy(pings);
    natsConnection_Destroy(connection);
    natsConnection_Destroy(worker);
    natsOptions_Destroy(options);
    nats_Close();
    return 0;
}
