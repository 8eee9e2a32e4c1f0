"""Records fetched from the law.go.kr Open API: the client, the raw folder, the crawl."""
