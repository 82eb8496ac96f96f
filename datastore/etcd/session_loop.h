// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "datastore/etcd/etcd_address.h"
#include "datastore/source.h"

namespace felix::datastore {

// The thread of a source that follows a server: one session after the other, each at the next of
// the endpoints. The sink hears of a loss when all had their turn, and then it is tried again after
// a while that grows to 1.5 s and is spread, so that the hosts of a cluster do not all come back at
// once. Begin and NoteProgress are for the session; the rest is as in Source.
class SessionLoop {
 public:
  // One connection to one endpoint, until it fails.
  using Session = std::function<absl::Status(const EtcdEndpoint& endpoint)>;

  SessionLoop(std::vector<EtcdEndpoint> endpoints, Session session);
  ~SessionLoop();
  SessionLoop(const SessionLoop&) = delete;
  SessionLoop& operator=(const SessionLoop&) = delete;

  absl::Status Start(Sink& sink);
  void Resync();
  void Stop();

  // `interrupt` makes all that the session waits for return, from any thread, and outlives the
  // session. True: everything is to be read anew. Errors: kCancelled, there is to be no session.
  absl::StatusOr<bool> Begin(std::function<void()> interrupt);
  void NoteProgress() { made_progress_ = true; }

 private:
  void Run();
  void Pause(std::chrono::milliseconds duration);

  const std::vector<EtcdEndpoint> endpoints_;
  const Session session_;
  Sink* sink_ = nullptr;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> resync_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::function<void()> interrupt_;  // guarded by mutex_
  bool made_progress_ = false;       // of the thread alone
};

}  // namespace felix::datastore
