/* What an application in C does with JetStream: publishes with acknowledgement, pulls, is pushed to, settles.
 *
 *   jetstream URL */

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGES = 20 };

static void must(natsStatus status, const char *what) {
    if (status == NATS_OK) return;
    fprintf(stderr, "%s: %s\n", what, natsStatus_GetText(status));
    exit(1);
}

static void publish(jsCtx *js, const char *id, int expectDuplicate) {
    jsPubAck *ack = NULL;
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MsgId = id;
    must(js_Publish(&ack, js, "c.js", "body", 4, &options, NULL), "publish");
    if (ack->Duplicate != expectDuplicate) must(NATS_ERR, "duplicate");
    jsPubAck_Destroy(ack);
}

static void pull(jsCtx *js) {
    natsSubscription *subscription = NULL;
    must(js_PullSubscribe(&subscription, js, "c.js", "puller", NULL, NULL, NULL), "pull subscription");
    int pulled = 0;
    while (pulled < MESSAGES) {
        natsMsgList list;
        must(natsSubscription_Fetch(&list, subscription, 7, 10000, NULL), "fetch");
        for (int i = 0; i < list.Count; i++) {
            must(natsMsg_Ack(list.Msgs[i], NULL), "ack");
            pulled++;
        }
        natsMsgList_Destroy(&list);
    }
    printf("pulled %d\n", pulled);
    natsSubscription_Destroy(subscription);
}

static void be_pushed_to(jsCtx *js) {
    natsSubscription *subscription = NULL;
    jsSubOptions options;
    jsSubOptions_Init(&options);
    options.Config.Durable = "pusher";
    options.ManualAck = true;
    must(js_SubscribeSync(&subscription, js, "c.js", NULL, &options, NULL), "push subscription");
    int pushed = 0;
    for (; pushed < MESSAGES; pushed++) {
        natsMsg *message = NULL;
        must(natsSubscription_NextMsg(&message, subscription, 10000), "next");
        must(natsMsg_AckSync(message, NULL, NULL), "ack");
        natsMsg_Destroy(message);
    }
    printf("pushed %d\n", pushed);
    natsSubscription_Destroy(subscription);
}

int main(int count, char **words) {
    natsConnection *connection = NULL;
    jsCtx *js = NULL;
    jsStreamConfig configuration;
    if (count != 2) return 2;
    must(natsConnection_ConnectTo(&connection, words[1]), "connect");
    must(natsConnection_JetStream(&js, connection, NULL), "jetstream");
    jsStreamConfig_Init(&configuration);
    const char *subjects[] = {"c.js"};
    configuration.Name = "CSTREAM";
    configuration.Subjects = subjects;
    configuration.SubjectsLen = 1;
    must(js_AddStream(NULL, js, &configuration, NULL, NULL), "stream");

    for (int number = 0; number < MESSAGES; number++) {
        char id[16];
        snprintf(id, sizeof id, "%d", number);
        publish(js, id, 0);
    }
    printf("published %d\n", MESSAGES);
    publish(js, "7", 1);
    printf("duplicate\n");
    pull(js);
    be_pushed_to(js);
    must(natsConnection_Flush(connection), "flush");
    printf("settled\n");
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
    nats_Close();
    return 0;
}
