// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/http_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "datastore/etcd/name_resolver.h"
#include "model/base/check.h"
#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// A line of a watch holds at least one revision, of which etcd's own limit for a transaction is
// 1.5 MiB by default; what was missed may come in one line of many revisions.
constexpr std::size_t kMaxLineBytes = std::size_t{1} << 30;
constexpr std::uint64_t kMaxBodyBytes = std::uint64_t{1} << 30;
// How long the kernel keeps trying a peer that does not answer; well below the 20 s within which a
// lost connection is to be noticed.
constexpr int kUserTimeoutMs = 15'000;
constexpr int kKeepAliveSeconds = 5;

}  // namespace

class HttpConnection::Core {
 public:
  absl::Status Connect(const EtcdEndpoint& endpoint, const TlsFiles& tls,
                       Clock::duration time_limit) {
    act_ = fmt::format("connect to {}", endpoint.ToString());
    host_ = endpoint.host;
    FELIX_RETURN_IF_ERROR(MakeStream(endpoint, tls));
    const Clock::time_point deadline = Clock::now() + time_limit;
    const auto addresses = ResolveHost(endpoint.host, endpoint.port, deadline, interrupted_);
    if (!addresses.ok()) return addresses.status();
    asio::ip::tcp::socket& socket = Tcp().socket();
    FELIX_RETURN_IF_ERROR(Run(deadline, [&](auto done) {
      asio::async_connect(socket, *addresses,
                          [done](const error_code& error, const auto&) { done(error); });
    }));
    SetSocketOptions(socket.native_handle());
    if (!secure_) return absl::OkStatus();
    FELIX_RETURN_IF_ERROR(Run(deadline, [&](auto done) {
      secure_->async_handshake(asio::ssl::stream_base::client, done);
    }));
    is_established_ = true;
    return absl::OkStatus();
  }

  absl::Status Send(http::verb verb, std::string_view path, std::string_view authorization,
                    std::string_view body, Clock::duration time_limit) {
    act_ = fmt::format("ask etcd for {}", path);
    http::request<http::string_body> request(verb, {path.data(), path.size()}, 11);
    request.set(http::field::host, host_);
    request.set(http::field::content_type, "application/json");
    if (!authorization.empty()) {
      request.set(http::field::authorization, {authorization.data(), authorization.size()});
    }
    request.body() = body;
    request.prepare_payload();
    return Run(Clock::now() + time_limit, [&](auto done) {
      WithStream([&](auto& stream) {
        http::async_write(stream, request,
                          [done](const error_code& error, std::size_t) { done(error); });
      });
    });
  }

  absl::StatusOr<HttpResponse> Ask(http::verb verb, std::string_view path,
                                   std::string_view authorization, std::string_view body,
                                   Clock::duration time_limit) {
    FELIX_RETURN_IF_ERROR(Send(verb, path, authorization, body, time_limit));
    return Receive(time_limit);
  }

  absl::StatusOr<HttpResponse> Receive(Clock::duration time_limit) {
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxBodyBytes);
    while (!parser.is_done()) FELIX_RETURN_IF_ERROR(ReadSome(parser, time_limit));
    return HttpResponse{static_cast<int>(parser.get().result_int()), std::move(parser.get().body()),
                        IndexOf(parser.get())};
  }

  absl::StatusOr<HttpResponse> OpenStream(http::verb verb, std::string_view path,
                                          std::string_view authorization, std::string_view body,
                                          Clock::duration time_limit) {
    FELIX_RETURN_IF_ERROR(Send(verb, path, authorization, body, time_limit));
    stream_.emplace();
    // Not none, which the parser of Boost 1.74 takes for zero where a length is announced.
    stream_->body_limit(std::numeric_limits<std::uint64_t>::max());
    while (!stream_->is_header_done()) {
      ProvideBuffer();
      FELIX_RETURN_IF_ERROR(ReadSome(*stream_, time_limit));
    }
    CollectBuffer();
    HttpResponse response{
        static_cast<int>(stream_->get().result_int()), {}, IndexOf(stream_->get())};
    if (response.status == 200) return response;
    while (!stream_->is_done()) {
      ProvideBuffer();
      FELIX_RETURN_IF_ERROR(ReadSome(*stream_, time_limit));
      CollectBuffer();
    }
    response.body = std::move(lines_);
    return response;
  }

  absl::Status FinishStream(Clock::duration time_limit) {
    const Clock::time_point deadline = Clock::now() + time_limit;
    while (reading_ || !stream_->is_done()) {
      const absl::StatusOr<bool> arrived = AwaitPart(deadline);
      if (!arrived.ok()) return arrived.status();
      if (!*arrived) return absl::DeadlineExceededError(fmt::format("{}: no end in time", act_));
    }
    lines_.clear();
    searched_ = consumed_ = 0;
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string_view>> ReadLine(Clock::duration time_limit) {
    FELIX_CHECK(stream_.has_value(), "a line is read of a stream that was not opened");
    lines_.erase(0, std::exchange(consumed_, 0));
    const Clock::time_point deadline = Clock::now() + time_limit;
    while (true) {
      if (const std::size_t end = lines_.find('\n', searched_); end != std::string::npos) {
        consumed_ = end + 1;
        searched_ = 0;
        return std::string_view(lines_).substr(0, end);
      }
      searched_ = lines_.size();
      if (lines_.size() > kMaxLineBytes) {
        return absl::ResourceExhaustedError("read from etcd: a line without end");
      }
      if (!reading_ && stream_->is_done()) {
        return absl::UnavailableError("read from etcd: the server ended the watch");
      }
      const absl::StatusOr<bool> arrived = AwaitPart(deadline);
      if (!arrived.ok()) return arrived.status();
      if (!*arrived) return std::optional<std::string_view>();
    }
  }

  void Interrupt() {
    interrupted_ = true;
    io_.stop();
  }

 private:
  // Starts a read unless one is under way, and waits for it. False: the time is over.
  absl::StatusOr<bool> AwaitPart(Clock::time_point deadline) {
    if (!reading_) {
      reading_ = true;
      read_error_ = {};
      ProvideBuffer();
      WithStream([&](auto& stream) {
        http::async_read_some(stream, buffer_, *stream_,
                              [this](const error_code& error, std::size_t) {
                                read_error_ = error;
                                reading_ = false;
                              });
      });
    }
    FELIX_RETURN_IF_ERROR(Pump(deadline, [&] { return !reading_; }));
    if (reading_) return false;
    CollectBuffer();
    if (read_error_ && read_error_ != http::error::need_buffer) {
      return Failure(read_error_);
    }
    return true;
  }

  absl::Status MakeStream(const EtcdEndpoint& endpoint, const TlsFiles& tls) {
    if (!endpoint.tls) {
      plain_.emplace(io_);
      return absl::OkStatus();
    }
    if (const absl::Status loaded = LoadTlsFiles(tls, tls_context_); !loaded.ok()) {
      return absl::Status(loaded.code(),
                          fmt::format("{}: {}", act_, std::string(loaded.message())));
    }
    shows_certificate_ = !tls.cert_file.empty();
    secure_.emplace(io_, tls_context_);
    secure_->set_verify_mode(asio::ssl::verify_peer);
    secure_->set_verify_callback(asio::ssl::host_name_verification(endpoint.host));
    const bool is_name = endpoint.host.find_first_not_of("0123456789.:") != std::string::npos;
    if (is_name && !SetServerName(endpoint.host)) {
      return absl::InvalidArgumentError(fmt::format("{}: not a host's name", act_));
    }
    return absl::OkStatus();
  }

  // Which of its certificates a server with several is to show.
  bool SetServerName(std::string name) {
    return SSL_ctrl(secure_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME,
                    TLSEXT_NAMETYPE_host_name, name.data()) == 1;
  }

  static void SetSocketOptions(int socket) {
    const auto set = [socket](int level, int option, int value) {
      // They only shorten the time to notice a dead peer, for which there are other means too.
      (void)setsockopt(socket, level, option, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
    set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveSeconds);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
  }

  template <typename Message>
  static std::string IndexOf(const Message& message) {
    const auto it = message.find("X-Etcd-Index");
    return it == message.end() ? std::string() : std::string(it->value());
  }

  template <typename Parser>
  absl::Status ReadSome(Parser& parser, Clock::duration time_limit) {
    error_code outcome;
    bool is_done = false;
    WithStream([&](auto& stream) {
      http::async_read_some(stream, buffer_, parser, [&](const error_code& error, std::size_t) {
        outcome = error;
        is_done = true;
      });
    });
    FELIX_RETURN_IF_ERROR(Finish(Clock::now() + time_limit, is_done));
    if (outcome && outcome != http::error::need_buffer) return Failure(outcome);
    is_established_ = true;
    return absl::OkStatus();
  }

  // Starts an operation and waits until it is over or the time is. An operation whose time is over
  // is cancelled and awaited, since it refers to what is on the stack.
  template <typename Start>
  absl::Status Run(Clock::time_point deadline, Start start) {
    error_code outcome;
    bool is_done = false;
    start([&](const error_code& error) {
      outcome = error;
      is_done = true;
    });
    FELIX_RETURN_IF_ERROR(Finish(deadline, is_done));
    return outcome ? Failure(outcome) : absl::OkStatus();
  }

  absl::Status Finish(Clock::time_point deadline, const bool& is_done) {
    absl::Status status = Pump(deadline, [&] { return is_done; });
    if (is_done) return status;
    error_code ignored;
    Tcp().socket().close(ignored);
    io_.restart();
    while (!is_done && io_.run_one() > 0) {
    }
    if (!status.ok()) return status;
    return absl::DeadlineExceededError(fmt::format("{}: no answer in time", act_));
  }

  template <typename Condition>
  absl::Status Pump(Clock::time_point deadline, Condition condition) {
    while (!condition()) {
      // In this order: an interruption in between leaves the context stopped.
      if (io_.stopped()) io_.restart();
      if (interrupted_) return absl::CancelledError(fmt::format("{}: interrupted", act_));
      if (io_.run_one_until(deadline) == 0 && Clock::now() >= deadline) break;
    }
    return absl::OkStatus();
  }

  template <typename Use>
  void WithStream(Use use) {
    if (secure_) {
      use(*secure_);
    } else {
      use(*plain_);
    }
  }

  [[nodiscard]] absl::Status Failure(const error_code& error) const {
    std::string_view cure = TlsCure(error, is_established_, shows_certificate_);
    if (plain_ && !is_established_ && error == http::error::end_of_stream) {
      cure = "; if the server speaks TLS at this port, give https:// instead of http://";
    }
    return absl::UnavailableError(fmt::format("{}: {}{}", act_, error.message(), cure));
  }

  beast::tcp_stream& Tcp() { return secure_ ? beast::get_lowest_layer(*secure_) : *plain_; }

  void ProvideBuffer() {
    stream_->get().body().data = part_.data();
    stream_->get().body().size = part_.size();
    stream_->get().body().more = true;
  }

  void CollectBuffer() {
    if (stream_->get().body().data == nullptr) return;
    lines_.append(part_.data(), part_.size() - stream_->get().body().size);
    stream_->get().body().data = nullptr;
    stream_->get().body().size = 0;
  }

  asio::io_context io_{1};
  asio::ssl::context tls_context_{asio::ssl::context::tls_client};
  std::optional<beast::tcp_stream> plain_;
  std::optional<beast::ssl_stream<beast::tcp_stream>> secure_;
  std::atomic<bool> interrupted_ = false;
  std::string host_;
  std::string act_;              // for messages
  bool is_established_ = false;  // the server and we speak the same language
  bool shows_certificate_ = false;
  beast::flat_buffer buffer_;

  // Of the answer without end.
  std::optional<http::response_parser<http::buffer_body>> stream_;
  std::array<char, 64 << 10> part_ = {};
  bool reading_ = false;
  error_code read_error_;
  std::string lines_;
  std::size_t searched_ = 0;  // so far into lines_ there is no end of a line
  std::size_t consumed_ = 0;  // so much of lines_ was handed out
};

HttpConnection::HttpConnection() : core_(std::make_unique<Core>()) {}
HttpConnection::~HttpConnection() = default;

absl::Status HttpConnection::Connect(const EtcdEndpoint& endpoint, const TlsFiles& tls,
                                     Clock::duration time_limit) {
  return core_->Connect(endpoint, tls, time_limit);
}

absl::StatusOr<HttpResponse> HttpConnection::Post(std::string_view path,
                                                  std::string_view authorization,
                                                  std::string_view body,
                                                  Clock::duration time_limit) {
  return core_->Ask(http::verb::post, path, authorization, body, time_limit);
}

absl::StatusOr<HttpResponse> HttpConnection::OpenStream(std::string_view path,
                                                        std::string_view authorization,
                                                        std::string_view body,
                                                        Clock::duration time_limit) {
  return core_->OpenStream(http::verb::post, path, authorization, body, time_limit);
}

absl::Status HttpConnection::StartPost(std::string_view path, std::string_view authorization,
                                       std::string_view body, Clock::duration time_limit) {
  return core_->Send(http::verb::post, path, authorization, body, time_limit);
}

absl::StatusOr<HttpResponse> HttpConnection::Receive(Clock::duration time_limit) {
  return core_->Receive(time_limit);
}

absl::StatusOr<HttpResponse> HttpConnection::Get(std::string_view path,
                                                 std::string_view authorization,
                                                 Clock::duration time_limit) {
  return core_->Ask(http::verb::get, path, authorization, {}, time_limit);
}

absl::StatusOr<HttpResponse> HttpConnection::OpenGetStream(std::string_view path,
                                                           std::string_view authorization,
                                                           Clock::duration time_limit) {
  return core_->OpenStream(http::verb::get, path, authorization, {}, time_limit);
}

absl::Status HttpConnection::FinishStream(Clock::duration time_limit) {
  return core_->FinishStream(time_limit);
}

absl::StatusOr<std::optional<std::string_view>> HttpConnection::ReadLine(
    Clock::duration time_limit) {
  return core_->ReadLine(time_limit);
}

void HttpConnection::Interrupt() {
  core_->Interrupt();
}

}  // namespace felix::datastore
