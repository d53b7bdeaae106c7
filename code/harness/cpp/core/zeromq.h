// ZeroMQ sockets: TCP with CURVE keys, or a Unix socket in a folder that is closed to other accounts. The library is
// opened when a socket is first needed, so that the harness starts without it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace harness {

struct ZeroMqApi;  // the functions of libzmq

// A CURVE key pair as ZeroMQ prints it: 40 characters each (Z85).
struct CurveKeys {
  std::string public_key;
  std::string secret_key;
};

// The pair in the variable `name`, "public secret". Throws Error (kUsage) where it is unset or of another form.
CurveKeys curve_keys_from(const char* name);

// A received message, or memory for one to send. It is reused for the next one.
class Message {
 public:
  explicit Message(const ZeroMqApi& api);
  ~Message();
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  Message(Message&&) = delete;
  Message& operator=(Message&&) = delete;

  // Memory of that size to send; what it held is gone. Throws Error (kFailed).
  uint8_t* resize(size_t bytes);
  [[nodiscard]] const uint8_t* data() const;
  [[nodiscard]] size_t size() const;
  void* raw() { return frame_.data(); }

 private:
  const ZeroMqApi& api_;
  alignas(8) mutable std::array<uint8_t, 64> frame_{};  // zmq_msg_t
};

// One side of a pair of sockets. One thread uses it.
class Socket {
 public:
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket(Socket&&) = delete;
  Socket& operator=(Socket&&) = delete;

  // Throws Error (kFailed) where the socket was closed or its queue stays full.
  void send(Message& message);
  // Waits at most `wait_ms` for a message (0: not at all). Returns whether there was one.
  bool receive(Message& message, int wait_ms);
  // Where a bound socket listens, such as "tcp://10.0.0.1:41234".
  [[nodiscard]] std::string endpoint() const;

 private:
  friend class ZeroMq;
  Socket(const ZeroMqApi& api, void* handle) : api_(api), handle_(handle) {}

  const ZeroMqApi& api_;
  void* handle_;
};

// A context with its library. It must outlive its sockets.
class ZeroMq {
 public:
  // `library` is the file; "": the system's. Throws Error (kMissing) where it cannot be opened, or has no CURVE.
  explicit ZeroMq(const std::string& library, int io_threads = 1);
  ~ZeroMq();
  ZeroMq(const ZeroMq&) = delete;
  ZeroMq& operator=(const ZeroMq&) = delete;
  ZeroMq(ZeroMq&&) = delete;
  ZeroMq& operator=(ZeroMq&&) = delete;

  [[nodiscard]] const ZeroMqApi& api() const { return *api_; }
  // A socket that is connected to a bound one, whose key is `server_key`; a Unix socket ("ipc://…") needs no keys.
  // Throws Error (kFailed).
  std::unique_ptr<Socket> connect(const std::string& endpoint, const CurveKeys& own, const std::string& server_key);
  // A socket that listens on a free port of `host`. Only peers with the key given to `admit` get through.
  std::unique_ptr<Socket> listen(const std::string& host, const CurveKeys& own);
  // A Unix socket in `folder`, which only this account may enter: the kernel keeps others out, and nothing is
  // encrypted. Throws Error (kUsage) for a folder that others may enter.
  std::unique_ptr<Socket> listen_in(const std::string& folder);
  // From here on peers must have this public key, which ZeroMQ asks for through its authentication protocol (RFC 27).
  // Call it once, before `listen`.
  void admit(const std::string& public_key);

 private:
  class Gatekeeper;
  void* open();
  void* open(const CurveKeys& own);

  std::unique_ptr<ZeroMqApi> api_;
  void* context_ = nullptr;
  std::unique_ptr<Gatekeeper> gatekeeper_;
  size_t in_folder_ = 0;  // Unix sockets that were made
};

}  // namespace harness
