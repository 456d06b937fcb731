// What `request.cf` is without Cloudflare in front of the worker.
// Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/miniflare/src/cf.ts.

const CF = {
  asn: 395747,
  asOrganization: "Cloudflare",
  city: "Austin",
  clientTcpRtt: 22,
  colo: "DFW",
  continent: "NA",
  country: "US",
  edgeRequestKeepAliveStatus: 1,
  httpProtocol: "HTTP/1.1",
  isEUCountry: false,
  latitude: "30.27130",
  longitude: "-97.74260",
  metroCode: "635",
  postalCode: "78701",
  region: "Texas",
  regionCode: "TX",
  requestPriority: "weight=192;exclusive=0",
  timezone: "America/Chicago",
  tlsCipher: "AEAD-AES128-GCM-SHA256",
  tlsVersion: "TLSv1.3",
};

const LAZY = { get: cfOf, configurable: true, enumerable: true };

// Gives a request its `cf`, which is made when it is asked for. To send it along from a worker in
// front would cost 50 us a request.
export function withCf(request) {
  return Object.defineProperty(request, "cf", LAZY);
}

function cfOf() {
  const value = { ...CF };
  Object.defineProperty(this, "cf", { ...LAZY, get: () => value });
  return value;
}
