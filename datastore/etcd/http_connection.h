// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "datastore/etcd/etcd_address.h"
#include "datastore/etcd/tls_files.h"

namespace felix::datastore {

struct HttpResponse {
  int status = 0;
  std::string body;
  std::string index = {};  // of the header X-Etcd-Index
};

// One HTTP/1.1 connection to a server of JSON, with or without TLS (1.2 or later, the server's name
// is verified), for one thread; only Interrupt may be called from others. Nothing blocks longer
// than its time limit. After any error the connection is of no more use.
class HttpConnection {
 public:
  using Clock = std::chrono::steady_clock;

  HttpConnection();
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Errors, of this and all others: kUnavailable for what the network or the server does,
  // kDeadlineExceeded, kCancelled after Interrupt; kInvalidArgument for files of no use.
  absl::Status Connect(const EtcdEndpoint& endpoint, const TlsFiles& tls,
                       Clock::duration time_limit);

  // One request and its whole answer. The time limit is for each part that arrives: a large answer
  // over a slow line takes as long as it takes. `authorization` may be empty.
  absl::StatusOr<HttpResponse> Post(std::string_view path, std::string_view authorization,
                                    std::string_view body, Clock::duration time_limit);

  // The two halves of Post: the server can work on the answer before it is received.
  absl::Status StartPost(std::string_view path, std::string_view authorization,
                         std::string_view body, Clock::duration time_limit);
  absl::StatusOr<HttpResponse> Receive(Clock::duration time_limit);
  // As Post, of a request without a body.
  absl::StatusOr<HttpResponse> Get(std::string_view path, std::string_view authorization,
                                   Clock::duration time_limit);

  // A request whose answer has no end. Returns once the head of the answer is there; with another
  // status than 200 the body is whole.
  absl::StatusOr<HttpResponse> OpenStream(std::string_view path, std::string_view authorization,
                                          std::string_view body, Clock::duration time_limit);
  absl::StatusOr<HttpResponse> OpenGetStream(std::string_view path, std::string_view authorization,
                                             Clock::duration time_limit);
  // Reads such an answer to its end, so that the connection can be asked again.
  absl::Status FinishStream(Clock::duration time_limit);
  // The next line of that answer, without its end; none: not within the time limit, and the
  // stream goes on. kUnavailable at its end. The text lives until the next call.
  absl::StatusOr<std::optional<std::string_view>> ReadLine(Clock::duration time_limit);

  // Makes whatever is waited for return, now and from now on.
  void Interrupt();

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace felix::datastore
